//! Connections opened before the rules go where no new one gets.

use host::{Connection, Host};
use net::Endpoint;

use super::common::doc::documented;
use super::common::sight::{Sight, destination};
use super::{Finding, FindingDoc, Fix, Severity};
use crate::answer::{Answer, From, Outcome, Verdict};
use crate::question::Question;

documented! {
    /// Connections that were opened before the rules changed go on working.
    ///
    /// # You see
    /// "Some requests fail": clients that keep connections open, or re-use a UDP
    /// port, get the old server, and new connections get something else. After
    /// a restart of either side nothing works any more.
    ///
    /// The kernel decides on translation once, for the first packet of a
    /// connection, and keeps to it until the connection ends.
    /// # Check by hand
    /// `conntrack -L -p tcp --orig-port-dst PORT`: where the second `src=` of an
    /// entry is not where new connections are sent, it is an old one.
    /// # Put it right
    /// Nothing, if the new rules are what is wanted: close the old connections
    /// (`ss -K` on either end), or delete UDP entries with
    /// `conntrack -D -p udp --orig-port-dst PORT`.
    pub(crate) const DOC: FindingDoc = "old-connections-survive";
}

/// `IPS_SEEN_REPLY` (nf_conntrack_common.h): somebody answered.
const SEEN_REPLY: u32 = 2;

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let answer = &sight.answers[sight.answer];
    // They are a matter of the answer, not of each way it may end.
    if !answer
        .outcomes
        .first()
        .is_some_and(|first| std::ptr::eq(first, sight.outcome))
    {
        return None;
    }
    let first = old(sight.host, sight.question, answer).next()?;
    let all = survivors(sight.host, sight.question, sight.answers);
    let to = sight.question.to;
    let title = if all == 1 {
        format!("1 open connection to {to} goes where new ones do not")
    } else {
        format!("{all} open connections to {to} go where new ones do not")
    };
    let goes = goes(first);
    let why = vec![format!(
        "a connection keeps the way its first packet took: {}:{} is still served by {goes}",
        first.original.src, first.original.sport
    )];
    let say = "close the old connections, if the new rules are what is wanted";
    Some(Finding {
        severity: Severity::Note,
        fix: Some(Fix {
            say: say.to_owned(),
            command: None,
        }),
        check: Some(format!(
            "conntrack -L -p {} --orig-dst {} --orig-port-dst {}",
            sight.question.proto, to.addr, to.port
        )),
        ..sight.finding(&DOC, title, why)
    })
}

/// Where the packets of a connection go.
fn goes(connection: &Connection) -> Endpoint {
    Endpoint {
        addr: connection.reply.src,
        port: connection.reply.sport,
    }
}

/// How many connections go where none of the answers to a question leads new ones.
pub(crate) fn survivors(host: &Host, question: &Question, answers: &[Answer]) -> usize {
    let counts = answers
        .iter()
        .map(|answer| old(host, question, answer).count());
    counts.sum()
}

/// The connections that an answer is about, and that go where none of its outcomes leads.
fn old<'h>(
    host: &'h Host,
    question: &Question,
    answer: &Answer,
) -> impl Iterator<Item = &'h Connection> {
    let to = question.to;
    let is_from_here = move |connection: &Connection| {
        let src = connection.original.src;
        let is_local = host.is_own(src);
        if answer.from == From::Local {
            is_local
        } else {
            !is_local && answer.region.contains(src)
        }
    };
    let leads_to = move |outcome: &Outcome, served: Endpoint| match outcome.verdict {
        Verdict::Delivered | Verdict::Forwarded => destination(outcome).unwrap_or(to) == served,
        Verdict::Refused | Verdict::Rejected | Verdict::Dropped => false,
        Verdict::Unknown => true,
    };
    let open = host.connections.to(question.proto, to).iter();
    open.filter(move |one| {
        let is_known = |outcome| leads_to(outcome, goes(one));
        one.status & SEEN_REPLY != 0 && is_from_here(one) && !answer.outcomes.iter().any(is_known)
    })
}

#[cfg(test)]
mod tests {
    use host::{Connection, Connections, ConntrackTuple};
    use net::Proto;

    use super::super::Severity;
    use super::super::tests::{RULES_WITH_ENDPOINTS, World};

    fn connection(served_by: &str) -> Connection {
        let (client, to) = (
            "192.168.77.2".parse().unwrap(),
            "192.168.77.1".parse().unwrap(),
        );
        let served_by: net::Endpoint = served_by.parse().unwrap();
        Connection {
            proto: Proto::TCP,
            original: ConntrackTuple {
                src: client,
                dst: to,
                sport: 40000,
                dport: 31081,
            },
            reply: ConntrackTuple {
                src: served_by.addr,
                dst: client,
                sport: served_by.port,
                dport: 40000,
            },
            status: 0xe,
            mark: 0,
            zone: 0,
        }
    }

    #[test]
    fn a_connection_from_before_the_rules_is_counted() {
        let mut world = World::of(RULES_WITH_ENDPOINTS, &["tcp/0.0.0.0:31081=envoy"]);
        world.host.connections = Connections::of(vec![connection("192.168.77.1:31081"); 2]);
        let found = world.findings("192.168.77.1:31081");
        let note = found.last().unwrap();
        assert_eq!(note.code, "old-connections-survive");
        assert_eq!(note.severity, Severity::Note);
        assert_eq!(
            note.title,
            "2 open connections to 192.168.77.1:31081 go where new ones do not"
        );
    }

    #[test]
    fn a_connection_to_a_backend_that_still_is_one_is_no_old_one() {
        let mut world = World::of(RULES_WITH_ENDPOINTS, &[]);
        world.host.connections = Connections::of(vec![connection("10.52.1.11:8080")]);
        assert_eq!(world.codes("192.168.77.1:31081"), [""; 0]);
    }
}
