//! `ip -j rule`.

use net::{Family, Prefix, Proto};

use crate::parse::problem::{Input, Problem, Problems};
use crate::{RoutingAction, RoutingRule};

use super::{Object, objects, table_number, tos};

/// The action of a rule that tests something we do not know.
pub(super) const UNKNOWN: RoutingAction = RoutingAction::Unknown(u8::MAX);

/// Keys that say nothing about which packets a rule takes or what it does with them.
const SILENT: [&str; 4] = ["protocol", "iif_detached", "oif_detached", "flags"];

/// Keys that are read.
const KNOWN: [&str; 28] = [
    "priority",
    "not",
    "src",
    "srclen",
    "dst",
    "dstlen",
    "iif",
    "oif",
    "fwmark",
    "fwmask",
    "tos",
    "dsfield",
    "ipproto",
    "sport",
    "sport_start",
    "sport_end",
    "dport",
    "dport_start",
    "dport_end",
    "uid_start",
    "uid_end",
    "suppress_prefixlen",
    "suppress_ifgroup",
    "table",
    "goto",
    "nop",
    "l3mdev",
    "action",
];

/// Reads `ip -j rule`, or with `-6` that of IPv6: the text does not tell the family.
///
/// A rule with a test that is not known keeps its place and has an unknown action.
pub fn ip_rules(input: Input<'_>, family: Family) -> (Vec<RoutingRule>, Vec<Problem>) {
    let mut problems = Problems::of(input);
    let mut rules = Vec::new();
    for object in objects(input, &mut problems) {
        let mut rule = match rule(&object, family) {
            Ok(rule) => rule,
            Err(what) => {
                problems.add(0, &object.to_string(), what);
                continue;
            }
        };
        let is_unknown = |key: &&String| !KNOWN.contains(&&***key) && !SILENT.contains(&&***key);
        if let Some(key) = object.0.keys().find(is_unknown) {
            let what = format!("routing rule has `{key}`, which is not known: it may do anything");
            problems.note(0, &object.to_string(), what);
            rule.action = UNKNOWN;
        }
        rules.push(rule);
    }
    rules.sort_by_key(|rule| rule.priority);
    (rules, problems.into_vec())
}

fn rule(object: &Object, family: Family) -> Result<RoutingRule, String> {
    let priority = object.optional("priority")?;
    let mark: Option<u32> = object.optional("fwmark")?;
    let covered = object.optional("fwmask")?.unwrap_or(u32::MAX);
    let proto = match object.text("ipproto") {
        Some(name) => Some(name.parse::<Proto>().map_err(|error| error.to_string())?),
        None => object.optional("ipproto")?.map(Proto),
    };
    let uid = (object.optional("uid_start")?, object.optional("uid_end")?);
    Ok(RoutingRule {
        family,
        priority: priority.ok_or("entry is no routing rule: it lacks `priority`")?,
        inverted: object.has("not"),
        src: prefix(object, "src", "srclen", family)?,
        dst: prefix(object, "dst", "dstlen", family)?,
        iif: object.text("iif").map(str::to_owned),
        oif: object.text("oif").map(str::to_owned),
        mark: mark.map(|mark| (mark, covered)),
        tos: tos(object)?,
        proto,
        sport: ports(object, "sport")?,
        dport: ports(object, "dport")?,
        uid: uid.0.zip(uid.1),
        suppress_prefix_len: object.optional("suppress_prefixlen")?,
        suppress_group: match object.text("suppress_ifgroup") {
            Some("default") => Some(0),
            _ => object.optional("suppress_ifgroup")?,
        },
        action: action(object)?,
    })
}

fn prefix(object: &Object, key: &str, len: &str, family: Family) -> Result<Option<Prefix>, String> {
    let Some(text) = object.text(key).filter(|text| *text != "all") else {
        return Ok(None);
    };
    let prefix: Prefix = text.parse().map_err(|error| format!("{error}"))?;
    if prefix.family() != family {
        return Err(format!("`{text}` is no address of {family}"));
    }
    let len = object.optional(len)?.unwrap_or(prefix.len());
    Ok(Some(Prefix::containing(prefix.addr(), len)))
}

fn ports(object: &Object, key: &str) -> Result<Option<(u16, u16)>, String> {
    if let Some(port) = object.optional(key)? {
        return Ok(Some((port, port)));
    }
    let first = object.optional(&format!("{key}_start"))?;
    let last = object.optional(&format!("{key}_end"))?;
    Ok(first.zip(last))
}

fn action(object: &Object) -> Result<RoutingAction, String> {
    if object.has("l3mdev") {
        return Ok(RoutingAction::Vrf);
    }
    if object.has("nop") {
        return Ok(RoutingAction::Nop);
    }
    if let Some(priority) = object.optional("goto")? {
        return Ok(RoutingAction::Goto(priority));
    }
    match object.text("action") {
        Some("blackhole") => return Ok(RoutingAction::Blackhole),
        Some("unreachable") => return Ok(RoutingAction::Unreachable),
        Some("prohibit") => return Ok(RoutingAction::Prohibit),
        Some("lookup" | "to_tbl") | None => {}
        Some(_) => return Ok(UNKNOWN),
    }
    if let Some(name) = object.text("table") {
        return Ok(RoutingAction::Table(table_number(name)));
    }
    let table = object.optional("table")?;
    Ok(table.map_or(UNKNOWN, RoutingAction::Table))
}
