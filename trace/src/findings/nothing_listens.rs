//! The connection gets to its port, and nobody waits there.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::{Cause, Did};
use host::SocketState;
use net::Proto;

documented! {
    /// No process of this host listens on the port.
    ///
    /// # You see
    /// "Connection refused" at once, with no firewall rule involved: the
    /// kernel itself answers for a port that nobody has open. A UDP client
    /// learns of it with its next send or receive, if at all.
    /// # Check by hand
    /// `ss -tlnp 'sport = :PORT'` (`ss -ulnp` for UDP) lists nothing. A TCP
    /// socket that is bound and never called listen() shows with `ss -ta`
    /// only, and refuses as well.
    /// # Put it right
    /// Start the program, or look into its log: it may have failed to bind, or
    /// listen in a network namespace of its own (`berth why --netns PID`).
    pub(crate) const DOC: FindingDoc = "nothing-listens";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let cause = closed(sight)?;
    let to = sight.destination();
    if sight.listeners(to.port).next().is_some() {
        return None;
    }
    let title = format!(
        "no process listens on {} port {}",
        sight.question.proto, to.port
    );
    let mut why = Vec::new();
    if to != sight.question.to {
        let service = sight.outcome.service.as_ref();
        let who = service.map_or("translation".to_owned(), |name| format!("Service {name}"));
        why.push(format!(
            "{who} leads {} to {to}, which is this host",
            sight.question.to
        ));
    }
    why.push(match bound(sight, cause) {
        Some(holder) => format!(
            "{holder} has a socket bound to port {} that never listened",
            to.port
        ),
        None => format!("{to} is this host, and no socket there waits for clients"),
    });
    Some(Finding {
        fix: Some(Fix {
            say: format!("start the program that should listen on port {}", to.port),
            command: None,
        }),
        check: Some(ss(sight, to.port)),
        ..sight.finding(&DOC, title, why)
    })
}

/// Why the kernel refuses, where it does so because no socket takes the connection.
pub(super) fn closed<'a>(sight: &Sight<'a>) -> Option<&'a Cause> {
    if !sight.is_known() {
        return None;
    }
    match &sight.request().last()?.did {
        Did::Stops(cause @ (Cause::NothingListens | Cause::BoundOnly)) => Some(cause),
        _ => None,
    }
}

fn bound(sight: &Sight<'_>, cause: &Cause) -> Option<String> {
    let (proto, port) = (sight.question.proto, sight.destination().port);
    let mut sockets = sight.host.sockets.iter();
    sockets
        .find(|s| s.proto == proto && s.port == port && s.state == SocketState::Bound)
        .filter(|_| *cause == Cause::BoundOnly)
        .map(words::holder)
}

/// The command that lists who waits on a port.
pub(super) fn ss(sight: &Sight<'_>, port: u16) -> String {
    let kind = match sight.question.proto {
        Proto::UDP => 'u',
        Proto::SCTP => 'S',
        _ => 't',
    };
    format!("ss -{kind}lnp 'sport = :{port}'")
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    #[test]
    fn a_port_that_nobody_has_open_refuses() {
        let world = World::of("", &["tcp/0.0.0.0:80=webd"]);
        let found = world.findings("192.168.77.1:81");
        assert_eq!(found[0].code, "nothing-listens");
        assert_eq!(found[0].title, "no process listens on tcp port 81");
        assert_eq!(found[0].check.as_deref(), Some("ss -tlnp 'sport = :81'"));
        assert_eq!(world.codes("192.168.77.1:80"), [""; 0]);
    }

    #[test]
    fn a_translation_to_a_closed_port_of_this_host_says_who_leads_there() {
        let rules = "*nat\n:PREROUTING ACCEPT\n\
            -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.168.77.1:8080\nCOMMIT\n";
        let world = World::of(rules, &["tcp/0.0.0.0:80=webd"]);
        let found = world.findings("192.168.77.1:80");
        assert_eq!(
            found[0].why[0],
            "translation leads 192.168.77.1:80 to 192.168.77.1:8080, which is this host"
        );
    }
}
