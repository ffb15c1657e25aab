//! A loopback address would have to leave this host, or come in from outside.

use std::net::IpAddr;

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::{Cause, Did};

documented! {
    /// A translation leads to or from 127.0.0.0/8, and the kernel lets such
    /// addresses cross no interface.
    ///
    /// # You see
    /// A redirection to 127.0.0.1 works for clients on the host and times out
    /// for all others; or a NodePort answers at the host's addresses and not at
    /// 127.0.0.1.
    /// # Check by hand
    /// `sysctl net.ipv4.conf.all.route_localnet
    /// net.ipv4.conf.INTERFACE.route_localnet`: both are 0. IPv6 has no such
    /// setting: nothing leads to or from ::1.
    /// # Put it right
    /// Translate to an address of the host that is none of loopback's, and let
    /// the program listen there. `route_localnet=1` lets neighbours on that
    /// network reach what listens on 127.0.0.1 only: where it must be, keep
    /// them out with a rule in raw PREROUTING.
    pub(crate) const DOC: FindingDoc = "route-localnet-off";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    if sight.outcome.cause != Cause::Martian {
        return None;
    }
    let is_loopback = |addr: IpAddr| addr.is_ipv4() && addr.is_loopback();
    let to = sight.destination();
    let answer = &sight.answers[sight.answer];
    let sent_from = sight.request().iter().find_map(|step| match step.did {
        Did::Sent { source } => source,
        _ => None,
    });
    let (title, link) = if to != sight.question.to && is_loopback(to.addr) {
        let title = format!("it is translated to {to}, where nothing from outside may go");
        (title, answer.iif.clone()?)
    } else if sent_from.is_some_and(is_loopback) && !is_loopback(to.addr) {
        let link = sight
            .request()
            .iter()
            .rev()
            .find_map(|step| match &step.did {
                Did::Routed { oif, .. } => Some(oif.clone()),
                _ => None,
            });
        let title = "it would have to leave with a loopback address as its source".to_owned();
        (title, link?)
    } else {
        return None;
    };
    let why = vec![
        format!("{} leads to {to}", sight.question.to),
        format!("route_localnet is off for {link}"),
    ];
    let setting = words::setting(&["net", "ipv4", "conf", &link, "route_localnet"]);
    Some(Finding {
        fix: Some(Fix {
            say: "translate to another address of this host, where the program listens too; \
                  or open 127.0.0.0/8 to that network"
                .to_owned(),
            command: setting.as_ref().map(|name| format!("sysctl -w {name}=1")),
        }),
        check: setting.map(|name| format!("sysctl {name}")),
        ..sight.finding(&DOC, title, why)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    #[test]
    fn a_translation_to_loopback_from_outside_names_the_setting() {
        let rules = "*nat\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n\
             -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8080\nCOMMIT\n";
        let world = World::of(rules, &["tcp/127.0.0.1:8080=web"]);
        assert_eq!(
            world.codes_from_outside("192.168.77.1:80"),
            ["route-localnet-off"]
        );
        let found = world.findings("192.168.77.1:80");
        let off = found
            .iter()
            .find(|f| f.code == "route-localnet-off")
            .unwrap();
        let command = off.fix.as_ref().unwrap().command.as_deref();
        assert_eq!(
            command,
            Some("sysctl -w net.ipv4.conf.eth0.route_localnet=1")
        );
    }
}
