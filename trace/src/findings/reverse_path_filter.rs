//! The kernel doubts where the packet comes from.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::Cause;

documented! {
    /// The reverse path filter drops packets that came in by another interface
    /// than the one that leads back to their source.
    ///
    /// # You see
    /// A time-out from some clients, while others get through. `tcpdump` shows
    /// the packets come in, and no rule counts them. Hosts with two uplinks,
    /// and pods with two interfaces, are where it happens.
    /// # Check by hand
    /// `ip route get CLIENT` names another interface than the one the packets
    /// come in on. `sysctl net.ipv4.conf.all.rp_filter
    /// net.ipv4.conf.INTERFACE.rp_filter`: the higher of the two counts; 1 is
    /// strict, 2 asks for any way back. `nstat -az TcpExtIPReversePathFilter`
    /// counts what was dropped.
    /// # Put it right
    /// Give the host a route back over that interface (`ip rule` by source
    /// where both uplinks have a default route), or set `rp_filter` to 2 there.
    /// Write it below `/etc/sysctl.d`: NetworkManager, systemd and CNI plugins
    /// set it too.
    pub(crate) const DOC: FindingDoc = "reverse-path-filter";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    if sight.outcome.cause != Cause::ReversePath {
        return None;
    }
    let answer = &sight.answers[sight.answer];
    let link = answer.iif.as_deref()?;
    let strictness = |device: &str| {
        let name = format!("net.ipv4.conf.{device}.rp_filter");
        sight.host.sysctls.number(&name, 0)
    };
    let (all, own) = (strictness("all"), strictness(link));
    let why = vec![
        format!("the way back to such clients does not lead over {link}, or there is none"),
        format!("rp_filter is {all} for all interfaces and {own} for {link}: the higher counts"),
    ];
    let setting = words::setting(&["net", "ipv4", "conf", link, "rp_filter"]);
    let from = answer.region.first();
    Some(Finding {
        fix: Some(Fix {
            say: format!(
                "give this host a route to such clients over {link}, or let any way back do"
            ),
            command: setting.map(|name| format!("sysctl -w {name}=2")),
        }),
        check: from.map(|from| format!("ip route get {from}")),
        ..sight.finding(
            &DOC,
            format!("the reverse path filter on {link} drops it"),
            why,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use crate::question::{Origin, Question};

    #[test]
    fn a_client_that_others_lead_back_to_is_dropped_and_said_why() {
        let mut world = World::of("*filter\n:INPUT ACCEPT\nCOMMIT\n", &["tcp/0.0.0.0:80=web"]);
        world.host.links.push(host::Link::named(3, "eth1"));
        world
            .host
            .sysctls
            .insert("net.ipv4.conf.eth1.rp_filter", "1");
        let mut question = Question::about(net::Proto::TCP, "192.168.77.1:80".parse().unwrap());
        question.origin = Origin::Address("192.168.77.9".parse().unwrap());
        question.iif = Some("eth1".to_owned());
        let answers = crate::answer(&world.host, &question).unwrap();
        let found = super::super::findings(&world.host, &question, &answers, &world);
        assert_eq!(found[0].code, "reverse-path-filter");
        assert_eq!(found[0].title, "the reverse path filter on eth1 drops it");
        let command = found[0].fix.as_ref().unwrap().command.as_deref();
        assert_eq!(command, Some("sysctl -w net.ipv4.conf.eth1.rp_filter=2"));
    }
}
