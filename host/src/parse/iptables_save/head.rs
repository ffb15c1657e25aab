//! The tests that every rule can make: `-s -d -i -o -p -f`.

use net::Proto;

use crate::xt::{Match, Not};

use super::option::Opt;
use super::values;

/// Reads the test that has this place among the six; `None` where it holds always, a gap and
/// the problem where its value cannot be read.
pub(super) fn test(place: usize, opt: &mut Opt<'_, '_>) -> (Option<Match>, Option<String>) {
    let after = opt.at();
    let family = opt.family;
    let addr = |text: &str| values::masked_addr(text, family);
    let read = match place {
        0 => opt.not(addr).map(Match::Src),
        1 => opt.not(addr).map(Match::Dst),
        2 => opt.not(values::iface).map(Match::In),
        3 => opt.not(values::iface).map(Match::Out),
        4 => opt.not(proto).map(Match::Proto),
        _ => Ok(Match::Fragment(Not {
            not: opt.not,
            value: (),
        })),
    };
    match read {
        Ok(test) if holds_always(&test) => (None, None),
        Ok(test) => (Some(test), None),
        Err(what) => {
            let not = if opt.written().starts_with('!') {
                "! "
            } else {
                ""
            };
            let gap = Match::Gap {
                name: format!("{not}{}", opt.name).into(),
                options: opt.written_from(after).into(),
            };
            (Some(gap), Some(what))
        }
    }
}

fn proto(name: &str) -> Option<Proto> {
    match name {
        "tcp" => Some(Proto::TCP),
        "udp" => Some(Proto::UDP),
        "all" => Some(Proto(0)),
        _ => values::integer(name).map(Proto).or(name.parse().ok()),
    }
}

/// Whether iptables makes no test of it at all.
fn holds_always(test: &Match) -> bool {
    match test {
        Match::Src(Not { not: false, value }) | Match::Dst(Not { not: false, value }) => {
            net::addr_bits(value.mask) == 0
        }
        Match::Proto(Not { not: false, value }) => *value == Proto(0),
        _ => false,
    }
}
