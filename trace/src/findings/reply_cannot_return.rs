//! The request gets there, and the client never learns of it.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::{Cause, Did, Step};

documented! {
    /// The server is reached, but its answer cannot reach the client.
    ///
    /// # You see
    /// A time-out, or a connection that opens and then stays silent, although
    /// the server sees the request come in (`tcpdump` on the host shows it).
    ///
    /// Answers take a way of their own: rules in OUTPUT and FORWARD that allow
    /// no answers drop them, a missing route or a strict reverse path filter
    /// loses them, and an answer from an address that the client did not ask is
    /// not one it knows.
    /// # Check by hand
    /// `ip route get CLIENT from SERVER` shows the way back.
    /// `iptables -t filter -S OUTPUT` must accept ESTABLISHED and, for
    /// refusals, RELATED. `conntrack -L -d ADDRESS` shows `[UNREPLIED]`.
    /// # Put it right
    /// Accept answers first: `-m conntrack --ctstate RELATED,ESTABLISHED -j
    /// ACCEPT`. Where two ways lead to the client, let answers leave by the one
    /// the request came in on (`ip rule`), or loosen `rp_filter` to 2. Where the
    /// answer comes from another address, masquerade the request.
    pub(crate) const DOC: FindingDoc = "reply-cannot-return";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let (what, lost) = match &sight.outcome.cause {
        Cause::AnswerLost(lost) => (answer(sight), &**lost),
        Cause::HandshakeLost(lost) => ("the client's next packet".to_owned(), &**lost),
        cause @ Cause::WrongSource => ("the answer".to_owned(), cause),
        _ => return None,
    };
    let decided = last_rule(sight).filter(|_| is_by_rule(lost));
    let title = format!("{what} {}", how(sight, lost, decided));
    let mut why = vec![match &sight.outcome.server {
        Some(server) if server.reached => {
            let socket = &server.socket;
            format!(
                "{} on {} is reached",
                words::holder(socket),
                words::listens(socket)
            )
        }
        _ => match sight.outcome.to {
            Some(to) => format!("the request leaves for {to}"),
            None => "this host refuses the request, and the client never learns of it".to_owned(),
        },
    }];
    let rule = decided.and_then(|step| step.rule.as_ref());
    if let Some((at, rule)) = rule.and_then(|at| Some((at, sight.rule(at)?))) {
        let printed = || host::print::rule(&sight.chain(at).name, rule).into();
        let text = rule.text.clone().unwrap_or_else(printed);
        why.push(format!("{what} meets the rule {text}"));
    }
    let to = sight.question.to.addr;
    let check = match decided {
        Some(step) => words::show(sight, step),
        None => client(sight).map(|client| {
            let six = if client.is_ipv6() { " -6" } else { "" };
            format!("ip{six} route get {client} from {to}")
        }),
    };
    Some(Finding {
        fix: Some(Fix {
            say: advice(lost).to_owned(),
            command: None,
        }),
        check,
        ..sight.finding(&DOC, title, why)
    })
}

/// What is lost: a server's answer, or what the kernel says by a rule or by itself.
fn answer(sight: &Sight<'_>) -> String {
    let last = sight.request().last();
    match last.map(|step| (&step.did, &step.rule)) {
        Some((Did::Reject(_), Some(at))) => {
            format!("the rejection by {}", words::place(sight, at))
        }
        Some((Did::Stops(_), _)) => "the kernel's error".to_owned(),
        _ => "the answer".to_owned(),
    }
}

/// The last rule that the answer, or what followed it, met.
fn last_rule<'a>(sight: &Sight<'a>) -> Option<&'a Step> {
    let mut back = sight.afterwards().iter().rev();
    back.find(|step| step.rule.is_some())
}

fn is_by_rule(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::RuleDrops | Cause::RuleRejects(_) | Cause::PolicyDrops
    )
}

fn how(sight: &Sight<'_>, lost: &Cause, decided: Option<&Step>) -> String {
    if let Some(at) = decided.and_then(|step| step.rule.as_ref()) {
        return format!("is kept from its way by the {}", place(sight, at));
    }
    let text = match lost {
        Cause::WrongSource => "comes from another address or port than the client asked",
        Cause::NoRoute => "finds no route",
        Cause::Blackhole | Cause::Unreachable | Cause::Prohibited => {
            "meets a route that lets nothing pass"
        }
        Cause::ReversePath => "comes in on an interface that its source is not reached by",
        Cause::Martian => "has an address that the kernel takes on no wire",
        Cause::ForwardingOff => "would have to be forwarded, and forwarding is off",
        Cause::NotUnicast => "would go to an address that all routers there have",
        _ => "does not arrive",
    };
    text.to_owned()
}

fn place(sight: &Sight<'_>, at: &crate::RuleRef) -> String {
    let place = words::place(sight, at);
    if at.rule.is_some() {
        format!("rule {place}")
    } else {
        place
    }
}

fn advice(lost: &Cause) -> &'static str {
    match lost {
        Cause::WrongSource => {
            "masquerade the request, or let the server answer from the address that was asked"
        }
        Cause::ReversePath => {
            "let answers come in by the way the request went out, or set rp_filter to 2 there"
        }
        Cause::NoRoute | Cause::Blackhole | Cause::Unreachable | Cause::Prohibited => {
            "give this host a route to the client"
        }
        Cause::NotUnicast => "give the client another address than the first of its network",
        Cause::ForwardingOff => "turn on forwarding: sysctl net.ipv4.ip_forward=1",
        _ => "accept RELATED and ESTABLISHED packets ahead of what drops them",
    }
}

fn client(sight: &Sight<'_>) -> Option<std::net::IpAddr> {
    sight.answers[sight.answer].region.first()
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    #[test]
    fn a_rule_in_output_loses_the_answer() {
        let rules = "*filter\n:OUTPUT ACCEPT\n-A OUTPUT -p tcp --sport 8080 -j DROP\nCOMMIT\n";
        let world = World::of(rules, &["tcp/0.0.0.0:8080=webd"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(found[0].code, "reply-cannot-return");
        assert_eq!(
            found[0].title,
            "the answer is kept from its way by the rule filter OUTPUT #1"
        );
        assert_eq!(found[0].why[0], "webd on 0.0.0.0:8080 is reached");
        let check = "iptables -t filter -S OUTPUT 1";
        assert_eq!(found[0].check.as_deref(), Some(check));
    }

    #[test]
    fn a_refusal_that_output_drops_is_a_time_out_with_two_reasons() {
        let rules = "*filter\n:INPUT ACCEPT\n:OUTPUT DROP\n\
            -A INPUT -p tcp --dport 8080 -j REJECT\n\
            -A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n";
        let world = World::of(rules, &["tcp/0.0.0.0:8080=webd"]);
        assert_eq!(
            world.codes_from_outside("192.168.77.1:8080"),
            ["host-firewall-takes-it", "reply-cannot-return"]
        );
        let found = world.findings("192.168.77.1:8080");
        let lost = found.iter().find(|f| f.code == "reply-cannot-return");
        assert_eq!(
            lost.unwrap().title,
            "the rejection by filter INPUT #1 is kept from its way by the policy of filter OUTPUT"
        );
    }
}
