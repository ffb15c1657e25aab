//! A refusal that clients who come often do not get.

use host::xt::RejectWith;
use host::{Host, Sysctls};
use net::Family;

use super::common::doc::documented;
use super::common::sight::Sight;
use super::{Finding, FindingDoc, Fix, Severity};
use crate::answer::{Cause, From, Verdict};

documented! {
    /// A rule refuses with an ICMP error, and the kernel limits how many of these it
    /// sends.
    ///
    /// # You see
    /// "Connection refused" when you try it by hand, and slow connects or
    /// time-outs under load: an error that is held back looks like a drop, and
    /// the client waits and sends again.
    ///
    /// The kernel sends a client a few errors at once and then one in each
    /// `icmp_ratelimit`, and all clients together `icmp_msgs_per_sec`. A TCP
    /// reset is no ICMP and has no limit, nor has what goes over loopback.
    /// # Check by hand
    /// `sysctl net.ipv4.icmp_ratelimit net.ipv4.icmp_ratemask` (bit 3 of the mask
    /// is for refusals), for IPv6 `net.ipv6.icmp.ratelimit` and `ratemask` (type
    /// 1). `nstat -az 'IcmpOutRateLimit*'` counts what was held back.
    /// # Put it right
    /// Nothing, where few clients are refused. Else refuse TCP with a reset
    /// (`-j REJECT --reject-with tcp-reset`), or set the limit to 0.
    pub(crate) const DOC: FindingDoc = "icmp-errors-rate-limited";
}

/// The types that a refusal has (icmp.h: `ICMP_DEST_UNREACH`; icmpv6.h: `ICMPV6_DEST_UNREACH`).
const UNREACHABLE_V4: u32 = 3;
const UNREACHABLE_V6: u32 = 1;
/// The types that are limited unless told otherwise (icmp.c, icmp_sk_init).
const MASK_V4: i64 = 0x1818;
const MASK_V6: &str = "0-1,3-127";

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let family = match &sight.outcome.cause {
        Cause::RuleRejects(RejectWith::Icmp(_)) => Family::V4,
        Cause::RuleRejects(RejectWith::Icmp6(_)) => Family::V6,
        _ => return None,
    };
    let is_refused = matches!(sight.outcome.verdict, Verdict::Refused | Verdict::Rejected);
    // Nothing is limited over loopback (icmp.c, icmpv4_xrlim_allow, icmpv6_xrlim_allow).
    if !is_refused || sight.answers[sight.answer].from == From::Local {
        return None;
    }
    let limit = limit(sight.host, family)?;
    let setting = setting(family);
    // IPv6 shortens the time where the route to the client is wide (icmpv6_xrlim_allow).
    let upto = if family == Family::V6 { "up to " } else { "" };
    let mut why = vec![format!(
        "a client gets a few such errors at once and then one in {upto}{limit} ms ({setting}): what is \
         held back looks to it like a drop"
    )];
    let all = sight.host.sysctls.get("net.ipv4.icmp_msgs_per_sec");
    why.extend(all.map(|all| {
        format!("all clients together get {all} a second (net.ipv4.icmp_msgs_per_sec)")
    }));
    let title = "under load this refusal looks like a time-out".to_owned();
    Some(Finding {
        severity: Severity::Note,
        fix: Some(Fix {
            say: advice(sight, setting),
            command: None,
        }),
        check: Some("nstat -az 'Icmp*OutRateLimit*'".to_owned()),
        ..sight.finding(&DOC, title, why)
    })
}

/// The milliseconds between two errors to one client, where the host is known to limit them.
fn limit(host: &Host, family: Family) -> Option<i64> {
    let limit = host.sysctls.get(setting(family))?.parse().ok()?;
    (limit > 0 && is_masked(&host.sysctls, family)).then_some(limit)
}

fn setting(family: Family) -> &'static str {
    match family {
        Family::V4 => "net.ipv4.icmp_ratelimit",
        Family::V6 => "net.ipv6.icmp.ratelimit",
    }
}

/// Whether the limit is for refusals.
fn is_masked(sysctls: &Sysctls, family: Family) -> bool {
    match family {
        Family::V4 => sysctls.number("net.ipv4.icmp_ratemask", MASK_V4) >> UNREACHABLE_V4 & 1 == 1,
        Family::V6 => {
            let mask = sysctls.get("net.ipv6.icmp.ratemask").unwrap_or(MASK_V6);
            mask.split(',').any(|part| {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let ends = (first.trim().parse::<u32>(), last.trim().parse::<u32>());
                matches!(ends, (Ok(first), Ok(last)) if (first..=last).contains(&UNREACHABLE_V6))
            })
        }
    }
}

/// A reset is the other way to refuse TCP; who writes rules of his own may choose it.
fn advice(sight: &Sight<'_>, setting: &str) -> String {
    let is_tcp = sight.question.proto == net::Proto::TCP;
    if is_tcp && sight.blame().is_none() {
        "where many clients are refused, reject with tcp-reset, which has no limit".to_owned()
    } else {
        format!("where many clients are refused, set {setting} to 0")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::super::tests::World;

    const CODE: &str = "icmp-errors-rate-limited";
    const LIMIT: &str = "net.ipv4.icmp_ratelimit";
    const MASK: &str = "net.ipv4.icmp_ratemask";

    fn world(with: &str, settings: &[(&str, &str)]) -> World {
        let rules = format!(
            "*filter\n:INPUT ACCEPT\n-A INPUT -p tcp --dport 80 -j REJECT --reject-with {with}\n\
             COMMIT\n"
        );
        let mut world = World::of(&rules, &[]);
        for (name, value) in settings {
            world.host.sysctls.insert(name, value);
        }
        world
    }

    fn is_found(with: &str, settings: &[(&str, &str)]) -> bool {
        let found = world(with, settings).codes("192.168.77.1:80");
        found.contains(&CODE)
    }

    #[test]
    fn a_refusal_that_is_limited_here_is_a_note() {
        let world = world("icmp-port-unreachable", &[(LIMIT, "500"), (MASK, "6168")]);
        let found = world.findings("192.168.77.1:80");
        let note = found.last().unwrap();
        assert_eq!((note.code, note.severity), (CODE, Severity::Note));
        assert!(note.why[0].contains("one in 500 ms"), "{:?}", note.why);
        // The answer to the last kind of source, a process here, is not limited.
        assert_eq!(note.answers, [0]);
    }

    #[test]
    fn what_is_not_limited_is_not_told() {
        assert!(is_found("icmp-host-prohibited", &[(LIMIT, "1000")]));
        assert!(!is_found("tcp-reset", &[(LIMIT, "1000")]));
        assert!(!is_found("icmp-port-unreachable", &[(LIMIT, "0")]));
        let unmasked = [(LIMIT, "1000"), (MASK, "6160")];
        assert!(!is_found("icmp-port-unreachable", &unmasked));
        // What the settings are is not guessed.
        assert!(!is_found("icmp-port-unreachable", &[]));
    }

    #[test]
    fn the_mask_of_ipv6_is_a_list_of_types() {
        let is_masked = |mask: &str| {
            let mut sysctls = host::Sysctls::default();
            sysctls.insert("net.ipv6.icmp.ratemask", mask);
            super::is_masked(&sysctls, net::Family::V6)
        };
        assert!(is_masked("0-1,3-127"));
        assert!(is_masked("1"));
        assert!(!is_masked("0,3-127"));
        assert!(!is_masked(""));
    }
}
