//! Routing rules in the words of `ip rule`.

use host::{RoutingAction, RoutingRule};
use net::Family;

/// Reads lines such as `100: from 10.0.0.0/8 fwmark 0x1/0xff lookup 100`; a line of IPv6
/// begins with `-6`. The rules that each family has by itself are added.
///
/// # Errors
/// The line that is none.
pub(super) fn ip_rules(text: &str) -> Result<Vec<RoutingRule>, String> {
    let mut rules = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let read = rule(line).ok_or_else(|| format!("`{line}` is no routing rule"))?;
        rules.push(read);
    }
    let defaults = [Family::V4, Family::V6]
        .into_iter()
        .flat_map(RoutingRule::defaults);
    for rule in defaults {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules.sort_by_key(|rule| rule.priority);
    Ok(rules)
}

fn rule(line: &str) -> Option<RoutingRule> {
    let line = line.trim();
    let (family, line) = match line.strip_prefix("-6 ") {
        Some(rest) => (Family::V6, rest),
        None => (Family::V4, line),
    };
    let (priority, rest) = line.split_once(':')?;
    let mut rule = RoutingRule {
        action: RoutingAction::Nop,
        ..RoutingRule::lookup(family, priority.parse().ok()?, 0)
    };
    let mut words = rest.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "not" => rule.inverted = true,
            "blackhole" => rule.action = RoutingAction::Blackhole,
            "unreachable" => rule.action = RoutingAction::Unreachable,
            "prohibit" => rule.action = RoutingAction::Prohibit,
            _ => take(&mut rule, word, words.next()?)?,
        }
    }
    Some(rule)
}

fn take(rule: &mut RoutingRule, key: &str, value: &str) -> Option<()> {
    match key {
        "from" | "to" if value == "all" => {}
        "from" => rule.src = Some(value.parse().ok()?),
        "to" => rule.dst = Some(value.parse().ok()?),
        "iif" => rule.iif = Some(value.to_owned()),
        "oif" => rule.oif = Some(value.to_owned()),
        "fwmark" => {
            let (bits, covered) = value.split_once('/').unwrap_or((value, "0xffffffff"));
            rule.mark = Some((number(bits)?, number(covered)?));
        }
        "lookup" => {
            rule.action = RoutingAction::Table(match value {
                "local" => 255,
                "main" => 254,
                "default" => 253,
                _ => value.parse().ok()?,
            });
        }
        _ => return None,
    }
    Some(())
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_ip_rule_prints_them_beside_the_kernels_own() {
        let rules = ip_rules("100:\tfrom all fwmark 0x1/0xf lookup 7\n").unwrap();
        let of_v4 = rules.iter().filter(|rule| rule.family == Family::V4);
        let priorities: Vec<u32> = of_v4.map(|rule| rule.priority).collect();
        assert_eq!(priorities, [0, 100, 32766, 32767]);
        let mut expected = RoutingRule::lookup(Family::V4, 100, 0);
        expected.action = RoutingAction::Nop;
        expected.mark = Some((1, 15));
        expected.action = RoutingAction::Table(7);
        assert!(rules.contains(&expected));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let error = ip_rules("100: from nowhere\n").unwrap_err();
        assert_eq!(error, "`100: from nowhere` is no routing rule");
    }
}
