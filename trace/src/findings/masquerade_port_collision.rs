//! A translated source port that somebody else needs, or that is the last one.

use std::net::IpAddr;

use host::nft::Expr;
use host::{Connection, ConntrackTuple, RuleBody};
use net::Endpoint;

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Severity};
use crate::answer::{Did, Verdict};
use crate::lower::{self, End, NatTo, Of, Op, Value, number};

documented! {
    /// Clients that share one address after masquerading run out of source ports, or
    /// hold the port of a listener of this host.
    ///
    /// # You see
    /// Time-outs to one destination, although others work: every connection to it
    /// needs a source port of its own, and where `--to-ports` leaves few, the next
    /// one is dropped. `conntrack -S` counts it as `insert_failed` and `drop`.
    ///
    /// Or requests that one peer sends from a fixed port (WireGuard, NTP, IKE) get
    /// to a masqueraded client in place of the program that listens here: the
    /// client had the same port, kept it, and spoke to that peer first.
    ///
    /// That a range overlaps NodePorts or ports in use is no fault by itself:
    /// answers to a masqueraded connection are known by their connection, and
    /// neither a listener nor the rules of a Service get them.
    /// # Check by hand
    /// `conntrack -L --reply-dst ADDRESS`: the second `dport=` of an entry is the
    /// port that its client has taken, the second `src=` and `sport=` are the peer.
    /// # Put it right
    /// Give the rule a wider range or none, or more than one address (SNAT to a
    /// range). Where a listener is shadowed, leave its port out of the range that
    /// clients get, with `--to-ports` or `--random-fully`.
    pub(crate) const DOC: FindingDoc = "masquerade-port-collision";
}

/// A tenth of the ports left is little: the kernel tries some at random and then gives up
/// (nf_nat_core.c, nf_nat_l4proto_unique_tuple).
const SCARCE: usize = 10;

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    if !matches!(
        sight.outcome.verdict,
        Verdict::Delivered | Verdict::Forwarded
    ) {
        return None;
    }
    scarce(sight).or_else(|| shadowed(sight))
}

/// Few source ports towards one destination.
fn scarce(sight: &Sight<'_>) -> Option<Finding> {
    let mut steps = sight.request().iter();
    let step = steps.find(|step| matches!(step.did, Did::Snat { .. }))?;
    let at = step.rule.as_ref()?;
    let (first, last) = range(sight.table(at), sight.rule(at)?)?;
    let all = usize::from(last - first) + 1;
    let to = sight.destination();
    let taken = taken(sight, to, (first, last), step);
    let place = words::place(sight, at);
    let (severity, title) = if taken > 0 && taken >= all - all / SCARCE {
        let title = format!("{taken} of {all} source ports towards {to} are taken");
        (Severity::Warning, title)
    } else if all < of_one_client(sight) {
        let ports = if all == 1 {
            "connection"
        } else {
            "connections"
        };
        let title = format!("at most {all} {ports} at a time go to {to} this way");
        (Severity::Note, title)
    } else {
        return None;
    };
    let why = vec![format!(
        "{place} gives source ports from {first} to {last}: one for each connection to {to}; \
         where all are taken, the next one is dropped"
    )];
    Some(Finding {
        severity,
        check: words::show(sight, step),
        ..sight.finding(&DOC, title, why)
    })
}

/// The ports that a client of a host like this one may use by itself.
fn of_one_client(sight: &Sight<'_>) -> usize {
    let (first, last) = sight.host.sysctls.ephemeral_ports();
    usize::from(last.saturating_sub(first)) + 1
}

/// The source ports that a rule gives, where it says which.
fn range(table: &host::Table, rule: &host::Rule) -> Option<(u16, u16)> {
    // A large table's sets are not gathered for a rule that asks for none.
    let asks = |expr: &Expr| matches!(expr, Expr::Lookup { .. } | Expr::Dynset { .. });
    let sets = match &rule.body {
        RuleBody::Nft(exprs) if exprs.iter().any(asks) => lower::sets(table),
        RuleBody::Nft(_) | RuleBody::Xt(_) | RuleBody::Gap(_) => lower::Sets::new(),
    };
    let ops = lower::rule(table, &sets, rule);
    let mut ends = ops.iter().filter_map(|op| match op {
        Op::End(End::Snat(to) | End::Masquerade(to)) => Some(to),
        _ => None,
    });
    let to: &NatTo = ends.next()?;
    let (low, high) = to.port.as_ref()?;
    Some((constant(low)?, constant(high)?)).filter(|(low, high)| low <= high)
}

fn constant(value: &Value) -> Option<u16> {
    match &value.of {
        Of::Bytes(bytes) if value.ops.is_empty() => number(bytes).try_into().ok(),
        _ => None,
    }
}

/// How many ports of a range connections to `to` have now.
fn taken(sight: &Sight<'_>, to: Endpoint, ports: (u16, u16), step: &crate::Step) -> usize {
    let Did::Snat { addr, .. } = step.did else {
        return 0;
    };
    let has = |one: &&Connection| {
        let answer = &one.reply;
        one.proto == sight.question.proto
            && (answer.src, answer.sport) == (to.addr, to.port)
            && addr.is_some_and(|addr| answer.dst == addr)
            && (ports.0..=ports.1).contains(&answer.dport)
    };
    sight.host.connections.as_slice().iter().filter(has).count()
}

/// A client that was masqueraded holds the port asked about towards a peer that sends from
/// the same port, or from the one asked about.
fn shadowed(sight: &Sight<'_>) -> Option<Finding> {
    let to = sight.question.to;
    let region = &sight.answers[sight.answer].region;
    let shadows = |one: &&Connection| {
        let answer = &one.reply;
        let sport = sight.question.sport.unwrap_or(to.port);
        one.proto == sight.question.proto
            && (answer.dst, answer.dport) == (to.addr, to.port)
            && answer.sport == sport
            && region.contains(answer.src)
            && is_translated(&one.original, answer)
    };
    let one = sight.host.connections.as_slice().iter().find(shadows)?;
    let client = endpoint(one.original.src, one.original.sport);
    let peer = endpoint(one.reply.src, one.reply.sport);
    let who = match sight.listener() {
        Some(listener) => words::holder(listener),
        None => sight.destination().to_string(),
    };
    let title = format!("what {peer} sends to {to} gets to {client}, not to {who}");
    let why = vec![format!(
        "{client} has a connection to {peer} and is masqueraded to {to}: what comes from there \
         is an answer to it"
    )];
    let proto = sight.question.proto;
    let check = format!("conntrack -L -p {proto} --reply-dst {}", to.addr);
    Some(Finding {
        severity: Severity::Warning,
        check: Some(check),
        ..sight.finding(&DOC, title, why)
    })
}

fn is_translated(original: &ConntrackTuple, reply: &ConntrackTuple) -> bool {
    (original.src, original.sport) != (reply.dst, reply.dport)
}

fn endpoint(addr: IpAddr, port: u16) -> Endpoint {
    Endpoint { addr, port }
}

#[cfg(test)]
mod tests {
    use host::{Connection, Connections, ConntrackTuple};
    use net::{Endpoint, Proto};

    use super::super::tests::World;
    use super::super::{Finding, Severity};

    fn masquerade(ports: &str) -> String {
        format!(
            "*nat\n:POSTROUTING ACCEPT\n-A POSTROUTING -p tcp -d 198.51.100.9/32 -j MASQUERADE \
             --to-ports {ports}\nCOMMIT\n"
        )
    }

    fn connection(client: &str, seen_as: &str, peer: &str) -> Connection {
        let [client, seen_as, peer]: [Endpoint; 3] =
            [client, seen_as, peer].map(|text| text.parse().unwrap());
        let tuple = |from: Endpoint, to: Endpoint| ConntrackTuple {
            src: from.addr,
            dst: to.addr,
            sport: from.port,
            dport: to.port,
        };
        Connection {
            proto: Proto::TCP,
            original: tuple(client, peer),
            reply: tuple(peer, seen_as),
            status: 0xe,
            mark: 0,
            zone: 0,
        }
    }

    fn found(world: &World, to: &str) -> Option<Finding> {
        let mut found = world.findings(to).into_iter();
        found.find(|finding| finding.code == "masquerade-port-collision")
    }

    #[test]
    fn a_range_that_one_client_could_use_up_is_a_note() {
        let note = found(
            &World::of(&masquerade("40000-40003"), &[]),
            "198.51.100.9:443",
        )
        .unwrap();
        assert_eq!(note.severity, Severity::Note);
        let title = "at most 4 connections at a time go to 198.51.100.9:443 this way";
        assert_eq!(note.title, title);
        let wide = World::of(&masquerade("1024-65535"), &[]);
        assert_eq!(found(&wide, "198.51.100.9:443"), None);
    }

    #[test]
    fn ports_that_are_taken_are_counted_for_one_destination() {
        let mut world = World::of(&masquerade("40000-40003"), &[]);
        let taken = |port: u16, peer: &str| {
            connection("10.0.0.2:5000", &format!("192.168.77.1:{port}"), peer)
        };
        let all = (40000..40004).map(|port| taken(port, "198.51.100.9:443"));
        world.host.connections = Connections::of(all.collect());
        let full = found(&world, "198.51.100.9:443").unwrap();
        assert_eq!(full.severity, Severity::Warning);
        let title = "4 of 4 source ports towards 198.51.100.9:443 are taken";
        assert_eq!(full.title, title);
        world.host.connections = Connections::of(vec![taken(40000, "198.51.100.10:443"); 4]);
        let other = found(&world, "198.51.100.9:443").unwrap();
        assert_eq!(other.severity, Severity::Note);
    }

    #[test]
    fn a_client_that_holds_the_port_of_a_listener_shadows_it_for_one_peer() {
        let mut world = World::of("", &["tcp/0.0.0.0:5000=vpn"]);
        let entry = |peer| connection("10.0.0.2:5000", "192.168.77.1:5000", peer);
        world.host.connections = Connections::of(vec![entry("198.51.100.9:5000")]);
        let shadow = found(&world, "192.168.77.1:5000").unwrap();
        assert_eq!(
            shadow.title,
            "what 198.51.100.9:5000 sends to 192.168.77.1:5000 gets to 10.0.0.2:5000, not to vpn"
        );
        // A server never opens a connection from the port it serves at.
        world.host.connections = Connections::of(vec![entry("198.51.100.9:443")]);
        assert_eq!(found(&world, "192.168.77.1:5000"), None);
        // A client of this host itself.
        let own = connection(
            "192.168.77.1:5000",
            "192.168.77.1:5000",
            "198.51.100.9:5000",
        );
        world.host.connections = Connections::of(vec![own]);
        assert_eq!(found(&world, "192.168.77.1:5000"), None);
    }
}
