//! `conntrack -L`, and `/proc/net/nf_conntrack`: tracked connections, a line each.

use net::Proto;

use super::problem::{Input, Problem, Problems};
use crate::{Connection, ConntrackTuple};

/// `IPS_*` bits (nf_conntrack_common.h).
const SEEN_REPLY: u32 = 2;
const ASSURED: u32 = 4;
const SNAT: u32 = 0x10;
const DNAT: u32 = 0x20;
const OFFLOAD: u32 = 0x4000;
const HW_OFFLOAD: u32 = 0x8000;

/// Reads connections that have ports; others are passed by.
pub fn conntrack(input: Input<'_>) -> (Vec<Connection>, Vec<Problem>) {
    let text = String::from_utf8_lossy(input.text);
    let mut problems = Problems::of(input);
    let mut connections = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // What the program says of itself at the end.
        let is_talk = line.starts_with("conntrack v") || line.trim().is_empty();
        if is_talk {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(proto) = proto(&words) else {
            problems.add(number + 1, line, "line is none of `conntrack -L`: skipped");
            continue;
        };
        if !proto.has_ports() {
            continue;
        }
        match connection(proto, &words) {
            Some(connection) => connections.push(connection),
            None => problems.add(number + 1, line, "connection is not understood: skipped"),
        }
    }
    (connections, problems.into_vec())
}

/// The protocol's name stands in front of its number; in `/proc`, the family's before.
fn proto(words: &[&str]) -> Option<Proto> {
    let at = usize::from(matches!(words.first(), Some(&"ipv4" | &"ipv6"))) * 2;
    let number: u8 = words.get(at + 1)?.parse().ok()?;
    // Protocols that conntrack does not track have a number alone.
    let name = match *words.get(at)? {
        "unknown" => Proto(number),
        name => name.parse().ok()?,
    };
    (name.0 == number).then_some(name)
}

fn connection(proto: Proto, words: &[&str]) -> Option<Connection> {
    let value = |key: &str, nth: usize| {
        let mut found = words
            .iter()
            .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.nth(nth)
    };
    let tuple = |nth: usize| {
        Some(ConntrackTuple {
            src: value("src", nth)?.parse().ok()?,
            dst: value("dst", nth)?.parse().ok()?,
            sport: value("sport", nth)?.parse().ok()?,
            dport: value("dport", nth)?.parse().ok()?,
        })
    };
    let (original, reply) = (tuple(0)?, tuple(1)?);
    let bit = |is: bool, bit: u32| if is { bit } else { 0 };
    let status = bit(words.contains(&"[OFFLOAD]"), OFFLOAD)
        | bit(words.contains(&"[HW_OFFLOAD]"), OFFLOAD | HW_OFFLOAD)
        | bit(!words.contains(&"[UNREPLIED]"), SEEN_REPLY)
        | bit(words.contains(&"[ASSURED]"), ASSURED)
        | bit(
            (reply.dst, reply.dport) != (original.src, original.sport),
            SNAT,
        )
        | bit(
            (reply.src, reply.sport) != (original.dst, original.dport),
            DNAT,
        );
    let number = |key: &str| value(key, 0).map_or(Some(0), |text| text.parse::<u32>().ok());
    Some(Connection {
        proto,
        original,
        reply,
        status,
        mark: number("mark")?,
        // A zone of one direction alone tells connections apart by what the client sent.
        zone: u16::try_from(number("zone")?.max(number("zone-orig")?)).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Connection>, Vec<Problem>) {
        conntrack(Input {
            name: "conntrack",
            text: text.as_bytes(),
        })
    }

    #[test]
    fn a_translated_connection_has_its_bits() {
        let text = "tcp      6 431999 ESTABLISHED src=192.0.2.9 dst=192.0.2.1 sport=40000 \
                    dport=31080 src=10.52.1.11 dst=192.0.2.9 sport=8080 dport=40000 [ASSURED] \
                    mark=5 use=1\nconntrack v1.4.7 (conntrack-tools): 1 flow entries\n";
        let (found, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!(found[0].status, SEEN_REPLY | ASSURED | DNAT);
        assert_eq!((found[0].reply.sport, found[0].mark), (8080, 5));
    }

    #[test]
    fn a_protocol_without_a_name_is_passed_by() {
        let text = "unknown  2 599 src=192.0.2.9 dst=224.0.0.1 [UNREPLIED] src=224.0.0.1 \
                    dst=192.0.2.9 mark=0 use=1\n";
        assert_eq!(read(text), (vec![], vec![]));
    }

    #[test]
    fn proc_has_the_family_in_front_and_icmp_is_passed_by() {
        let text = "ipv4     2 udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=53 \
                    [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1 mark=0 zone=3 use=2\n\
                    icmp     1 29 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=1\n";
        let (found, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!((found.len(), found[0].status, found[0].zone), (1, 0, 3));
    }

    #[test]
    fn zones_of_one_direction_and_offloaded_connections_are_read() {
        let text = "tcp      6 99 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 \
                    zone-orig=3 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1\n\
                    tcp      6 99 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=3 \
                    src=10.0.0.2 dst=10.0.0.1 sport=3 dport=1 zone-reply=4 mark=0 use=1\n\
                    udp      17 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=4 src=10.0.0.2 \
                    dst=10.0.0.1 sport=4 dport=1 [OFFLOAD] mark=0 zone=5 use=1\n";
        let (found, problems) = read(text);
        assert_eq!(problems, []);
        let zones: Vec<_> = found.iter().map(|found| found.zone).collect();
        assert_eq!(zones, [3, 0, 5]);
        assert_eq!(found[0].status, 0);
        assert_eq!(found[2].status, SEEN_REPLY | OFFLOAD);
    }

    #[test]
    fn a_line_that_is_none_is_told() {
        let (found, problems) = read("hello world\ntcp 6 10 src=1.1.1.1\n");
        assert_eq!((found.len(), problems.len()), (0, 2));
    }
}
