//! Destinations that rules single out: the addresses and ports of Services, published ports,
//! whatever a rule or an element of a set was written for.

use std::collections::BTreeSet;
use std::net::IpAddr;

use host::nft::{Data, Element, Key, Set, Verdict};
use host::{Chain, Host, Rule, Table, TableFamily};
use net::{Family, Proto, ServiceName};

use crate::index::{PORTS, is_address, is_port, network};
use crate::lower::{self, Field, Of, Op, Sets, Test, Value, number};
use crate::owner;

/// A destination that a rule, or an element of a set, singles out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frontend {
    /// The port.
    pub port: u16,
    /// The protocol; absent for any.
    pub proto: Option<Proto>,
    /// The address; absent for any, which is mostly any of this host.
    pub addr: Option<IpAddr>,
    /// The Service in whose name it is singled out, where the rule tells.
    pub service: Option<ServiceName>,
}

impl Frontend {
    /// Its protocols; a rule that asks for none means those that have ports.
    pub fn protocols(&self) -> impl Iterator<Item = Proto> + use<> {
        let asked = self.proto;
        let all = [Proto::TCP, Proto::UDP].into_iter();
        asked
            .into_iter()
            .chain(all.filter(move |_| asked.is_none()))
    }
}

/// What rules single out at addresses of this host; sorted, each once.
pub fn frontends_here(host: &Host) -> Vec<Frontend> {
    let mut found = frontends(host);
    found.retain(|frontend| frontend.addr.is_none_or(|addr| host.has_address(addr)));
    found
}

/// Every destination port that a rule of a host singles out, alone or with an address and a
/// protocol; sorted, each once. Rules that ask for wide ranges of ports single out none.
pub fn frontends(host: &Host) -> Vec<Frontend> {
    let mut found = Vec::new();
    for table in &host.ruleset.tables {
        let sets = lower::sets(table);
        for family in families(table.family) {
            for chain in &table.chains {
                of_chain((table, &sets), chain, *family, &mut found);
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn families(family: TableFamily) -> &'static [Family] {
    match family {
        TableFamily::Ip => &[Family::V4],
        TableFamily::Ip6 => &[Family::V6],
        TableFamily::Inet => &[Family::V4, Family::V6],
        TableFamily::Arp | TableFamily::Bridge | TableFamily::Netdev => &[],
    }
}

fn of_chain(
    (table, sets): (&Table, &Sets<'_>),
    chain: &Chain,
    family: Family,
    found: &mut Vec<Frontend>,
) {
    for rule in lower::chain(table, sets, chain) {
        let mut asked = Asked::default();
        let mut lookups: Vec<(&str, &[Value])> = Vec::new();
        for op in &rule.ops {
            match op {
                Op::Test(test) => asked.read(test, family, &mut lookups),
                Op::Map { set, key, .. } | Op::VerdictMap { set, key } => lookups.push((set, key)),
                Op::Socket { .. } | Op::Choose { .. } | Op::Do(_) | Op::End(_) => {}
            }
        }
        let service = of_rule(chain, &chain.rules[rule.index]);
        for port in asked.ports.iter().copied() {
            found.push(Frontend {
                port,
                proto: asked.proto,
                addr: asked.addr,
                service: service.clone(),
            });
        }
        for (name, key) in lookups {
            let set = sets.get(name);
            found.extend(
                set.into_iter()
                    .flat_map(|set| of_set(set, key, &asked, family)),
            );
        }
    }
}

/// Values that stand for all which the rules of a host treat alike.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The lowest destination port of each range that some rule treats apart.
    pub(crate) ports: BTreeSet<u16>,
    /// An address in each network that some rule asks for as a destination.
    pub(crate) addrs: BTreeSet<IpAddr>,
}

/// The ports and addresses that stand for what rules ask of destinations as a range.
pub(crate) fn marks(host: &Host) -> Marks {
    let mut marks = Marks::default();
    for table in &host.ruleset.tables {
        let sets = lower::sets(table);
        for (family, chain) in families(table.family)
            .iter()
            .flat_map(|family| table.chains.iter().map(move |chain| (*family, chain)))
        {
            for rule in lower::chain(table, &sets, chain) {
                for op in &rule.ops {
                    marks.read_op(&sets, op, family);
                }
            }
        }
    }
    marks
}

impl Marks {
    fn read_op(&mut self, sets: &Sets<'_>, op: &Op, family: Family) {
        match op {
            Op::Test(test) => self.read(sets, test, family),
            Op::Map { set, key, .. } | Op::VerdictMap { set, key } => {
                self.read_set(sets, set, key, family);
            }
            Op::Socket { .. } | Op::Choose { .. } | Op::Do(_) | Op::End(_) => {}
        }
    }

    fn read(&mut self, sets: &Sets<'_>, test: &Test, family: Family) {
        match test {
            Test::All(tests) | Test::Any(tests) => {
                for test in tests {
                    self.read(sets, test, family);
                }
            }
            Test::Not(test) => self.read(sets, test, family),
            Test::InSet { set, key } => self.read_set(sets, set, key, family),
            Test::In { value, within } => {
                for &(first, last) in within.as_slice() {
                    self.add(value, (first, last), family);
                }
            }
            Test::Const(_)
            | Test::Present(_)
            | Test::InIpSet(_)
            | Test::AddrType { .. }
            | Test::Bridged
            | Test::Socket { .. }
            | Test::HasConnection
            | Test::Doubt(_) => {}
        }
    }

    /// Elements that are ranges; those that are not are frontends of their own.
    fn read_set(&mut self, sets: &Sets<'_>, name: &str, key: &[Value], family: Family) {
        let set = sets.get(name);
        let elements = set.into_iter().flat_map(|set| &set.elements);
        for element in elements {
            let Key::Fields(fields) = &element.key else {
                continue;
            };
            for (value, field) in key.iter().zip(fields) {
                if field.first != field.last {
                    let range = (number(&field.first), number(&field.last));
                    self.add(value, range, family);
                }
            }
        }
    }

    fn add(&mut self, value: &Value, (first, last): (u128, u128), family: Family) {
        if is_port(value) {
            let ends = [Some(first), last.checked_add(1)].into_iter().flatten();
            let ports = ends.filter_map(|port| u16::try_from(port).ok());
            self.ports.extend(ports.filter(|&port| port > 0));
        } else if first != last && is_address(value, family) {
            self.addrs.insert(net::addr_of(family, first));
        } else if let Some(lowest) = network(value, first, family) {
            // Not the address of the network itself, which is nobody's.
            self.addrs.insert(net::addr_of(family, lowest + 1));
        }
    }
}

/// What the tests of one rule ask of the destination.
#[derive(Default)]
struct Asked {
    proto: Option<Proto>,
    addr: Option<IpAddr>,
    ports: Vec<u16>,
}

impl Asked {
    fn read<'t>(
        &mut self,
        test: &'t Test,
        family: Family,
        lookups: &mut Vec<(&'t str, &'t [Value])>,
    ) {
        match test {
            Test::All(tests) => {
                for test in tests {
                    self.read(test, family, lookups);
                }
            }
            Test::InSet { set, key } => lookups.push((set, key)),
            Test::In { value, within } if is_address(value, family) => {
                self.addr = within.single().map(|bits| net::addr_of(family, bits));
            }
            Test::In { value, within } if is_port(value) && within.count() <= PORTS => {
                let ranges = within.as_slice().iter();
                let ports = ranges.flat_map(|&(first, last)| first..=last);
                self.ports
                    .extend(ports.filter_map(|port| u16::try_from(port).ok()));
            }
            Test::In { value, within } if is_proto(value) => {
                self.proto = within
                    .single()
                    .and_then(|n| u8::try_from(n).ok())
                    .map(Proto);
            }
            _ => {}
        }
    }
}

/// The elements of a set that name a port where the key has the destination's.
fn of_set<'s>(
    set: &'s Set,
    key: &'s [Value],
    asked: &'s Asked,
    family: Family,
) -> impl Iterator<Item = Frontend> + 's {
    let elements = set.elements.iter();
    elements.filter_map(move |element| {
        let Key::Fields(fields) = &element.key else {
            return None;
        };
        let exact = |is: &dyn Fn(&Value) -> bool| {
            let (_, field) = key.iter().zip(fields).find(|(value, _)| is(value))?;
            (field.first == field.last).then(|| number(&field.first))
        };
        let port = exact(&is_port)?;
        let addr = exact(&|value| is_address(value, family));
        let proto = exact(&is_proto).and_then(|n| u8::try_from(n).ok());
        Some(Frontend {
            port: u16::try_from(port).ok()?,
            proto: proto.map(Proto).or(asked.proto),
            addr: addr.map(|bits| net::addr_of(family, bits)).or(asked.addr),
            service: of_element(element),
        })
    })
}

fn is_proto(value: &Value) -> bool {
    value.of == Of::Field(Field::Proto) && value.ops.is_empty()
}

fn of_rule(chain: &Chain, rule: &Rule) -> Option<ServiceName> {
    let comment = rule
        .comment
        .as_deref()
        .filter(|_| owner::is_of_kube_proxy(&chain.name));
    comment.and_then(owner::in_comment)
}

fn of_element(element: &Element) -> Option<ServiceName> {
    let called = match &element.data {
        Some(Data::Verdict(Verdict::Jump(chain) | Verdict::Goto(chain))) => {
            owner::in_chain_name(chain)
        }
        _ => None,
    };
    called.or_else(|| owner::in_comment(element.comment.as_deref()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::{RULES_WITH_ENDPOINTS, RULES_WITHOUT_ENDPOINTS, World};

    fn found(rules: &str) -> Vec<String> {
        let world = World::of(rules, &[]);
        let told = |one: Frontend| {
            let addr = one.addr.map_or("any".to_owned(), |addr| addr.to_string());
            let service = one.service.map_or(String::new(), |name| format!(" {name}"));
            let proto = one.proto.map_or(String::new(), |proto| format!("/{proto}"));
            format!("{addr}:{}{proto}{service}", one.port)
        };
        frontends(&world.host).into_iter().map(told).collect()
    }

    #[test]
    fn services_are_singled_out_by_address_or_by_port() {
        assert_eq!(
            found(RULES_WITHOUT_ENDPOINTS),
            [
                "10.107.20.80:80/tcp default/nginx:http",
                "any:30584/tcp default/nginx:http"
            ]
        );
        assert_eq!(found(RULES_WITH_ENDPOINTS), ["any:31081/tcp shop/web:http"]);
    }

    #[test]
    fn a_wide_range_singles_out_nothing() {
        let rules = "*filter\n:INPUT ACCEPT\n-A INPUT -p tcp --dport 30000:32767 -j DROP\n\
             -A INPUT -p udp -m multiport --dports 53,5353 -j ACCEPT\nCOMMIT\n";
        assert_eq!(found(rules), ["any:53/udp", "any:5353/udp"]);
    }
}
