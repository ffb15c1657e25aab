//! `ipset save`: sets and their entries, a line each.

mod icmp;

use std::collections::HashMap;
use std::net::IpAddr;

use net::{Family, Prefix, Proto};

use super::iptables_save::mac;
use super::problem::{Input, Problem, Problems};
use crate::{IpSet, IpSetEntry, IpSetField, IpSetMember};

/// Reads `create` and `add` lines. A set with an entry that is not understood, or of a type
/// that is not modelled, has no fields: nothing is concluded from a part of it.
pub fn ipset_save(input: Input<'_>) -> (Vec<IpSet>, Vec<Problem>) {
    let text = String::from_utf8_lossy(input.text);
    let mut problems = Problems::of(input);
    let mut sets: Vec<IpSet> = Vec::new();
    // The last set of each name.
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        // What stands in quotes is a comment.
        let unquoted = line.split('"').step_by(2);
        let words: Vec<&str> = unquoted.flat_map(str::split_whitespace).collect();
        match words[..] {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["create" | "-N", name, type_name, ref options @ ..] => {
                let _ = places.insert(name, sets.len());
                sets.push(create(name, type_name, options));
            }
            ["add" | "-A", name, entry, ref options @ ..] => {
                let Some(set) = places.get(name).map(|&place| &mut sets[place]) else {
                    problems.add(
                        number + 1,
                        line,
                        "entry of a set that was not created: skipped",
                    );
                    continue;
                };
                if set.fields.is_empty() {
                    continue;
                }
                if let Some(entry) = self::entry(entry, options, set) {
                    set.entries.push(entry);
                } else {
                    let what = "entry is not understood: what the set holds is unknown";
                    problems.note(number + 1, line, what);
                    forget(set);
                }
            }
            _ => problems.add(number + 1, line, "line is none of `ipset save`: skipped"),
        }
    }
    (sets, problems.into_vec())
}

fn create(name: &str, type_name: &str, options: &[&str]) -> IpSet {
    let option = |name: &str| {
        let at = options.iter().position(|word| *word == name)?;
        options.get(at + 1).copied()
    };
    let is_cut = option("markmask").is_some() || option("bitmask").is_some();
    IpSet {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        fields: if is_cut {
            Vec::new()
        } else {
            IpSetField::of_type(type_name)
        },
        is_v6: option("family") == Some("inet6"),
        netmask: option("netmask").and_then(|len| len.parse().ok()),
        entries: Vec::new(),
    }
}

fn forget(set: &mut IpSet) {
    set.fields.clear();
    set.entries.clear();
}

/// `10.0.0.1,tcp:80,10.0.0.0/8 [nomatch] …`.
fn entry(text: &str, options: &[&str], set: &IpSet) -> Option<IpSetEntry> {
    let family = if set.is_v6 { Family::V6 } else { Family::V4 };
    let mut parts = text.split(',');
    let members: Option<Vec<IpSetMember>> = set
        .fields
        .iter()
        .map(|field| member(*field, parts.next()?, family))
        .collect();
    // `physdev:` and wildcards ask for more than a name; what is left belongs to no field.
    let is_more = options.contains(&"wildcard") || parts.next().is_some();
    Some(IpSetEntry {
        members: members.filter(|_| !is_more)?,
        nomatch: options.contains(&"nomatch"),
    })
}

fn member(field: IpSetField, text: &str, family: Family) -> Option<IpSetMember> {
    let member = match field {
        IpSetField::Ip | IpSetField::Net => {
            let address = |text: &str| text.parse::<IpAddr>().ok();
            if let Some((first, last)) = text.split_once('-') {
                IpSetMember::Range(address(first)?, address(last)?)
            } else {
                IpSetMember::Net(text.parse::<Prefix>().ok()?)
            }
        }
        IpSetField::Port => {
            let (proto, port) = text.split_once(':').unwrap_or(("tcp", text));
            let proto: Proto = proto.parse().ok()?;
            let port = port.parse().ok().or_else(|| icmp::number(proto, port))?;
            IpSetMember::Port(proto, port)
        }
        IpSetField::BarePort => IpSetMember::BarePort(text.parse().ok()?),
        IpSetField::Mac => IpSetMember::Mac(mac(text)?),
        IpSetField::Iface if text.starts_with("physdev:") => return None,
        IpSetField::Iface => IpSetMember::Iface(text.to_owned()),
        IpSetField::Mark => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            IpSetMember::Mark(u32::from_str_radix(digits, 16).ok()?)
        }
        IpSetField::Set => IpSetMember::Set(text.to_owned()),
    };
    is_of(&member, family).then_some(member)
}

/// Whether an address is of the set's family.
fn is_of(member: &IpSetMember, family: Family) -> bool {
    match member {
        IpSetMember::Net(prefix) => prefix.family() == family,
        IpSetMember::Range(first, last) => {
            Family::of(*first) == family && Family::of(*last) == family
        }
        IpSetMember::Port(..)
        | IpSetMember::BarePort(_)
        | IpSetMember::Mac(_)
        | IpSetMember::Iface(_)
        | IpSetMember::Mark(_)
        | IpSetMember::Set(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<IpSet>, Vec<Problem>) {
        ipset_save(Input {
            name: "sets",
            text: text.as_bytes(),
        })
    }

    #[test]
    fn a_set_has_its_type_its_family_and_its_entries() {
        let text = "create a hash:ip,port,net family inet hashsize 1024 maxelem 65536\n\
                    add a 10.0.0.1,tcp:80,10.0.0.0/8 timeout 3 nomatch\n";
        let (sets, problems) = read(text);
        assert_eq!(problems, []);
        let set = &sets[0];
        assert_eq!(
            set.fields,
            [IpSetField::Ip, IpSetField::Port, IpSetField::Net]
        );
        let prefix = |text: &str| IpSetMember::Net(text.parse().unwrap());
        let port = IpSetMember::Port(Proto::TCP, 80);
        let members = vec![prefix("10.0.0.1/32"), port, prefix("10.0.0.0/8")];
        let nomatch = true;
        assert_eq!(set.entries, [IpSetEntry { members, nomatch }]);
    }

    #[test]
    fn a_comment_is_no_option() {
        let text = "create a hash:ip family inet comment\n\
                    add a 10.0.0.1 comment \"a nomatch or wildcard b\"\n";
        let (sets, problems) = read(text);
        assert_eq!(problems, []);
        assert!(!sets[0].entries[0].nomatch);
    }

    #[test]
    fn icmp_has_a_type_and_a_code_in_place_of_a_port() {
        let text = "create a hash:ip,port family inet6\nadd a fd00::1,ipv6-icmp:echo-request\n\
                    add a fd00::1,ipv6-icmp:130/2\n";
        let (sets, problems) = read(text);
        assert_eq!(problems, []);
        let ports = sets[0].entries.iter().map(|entry| entry.members[1].clone());
        let expected = [128 << 8, 130 << 8 | 2].map(|port| IpSetMember::Port(Proto::ICMP6, port));
        assert_eq!(ports.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_entry_that_is_not_understood_leaves_the_set_unknown() {
        let (sets, problems) = read("create b hash:net,iface\nadd b 10.0.0.0/8,physdev:eth0\n");
        assert_eq!((sets[0].fields.len(), problems.len()), (0, 1));
        let (sets, problems) = read("add c 10.0.0.1\nwhat is this\n");
        assert_eq!((sets.len(), problems.len()), (0, 2));
    }
}
