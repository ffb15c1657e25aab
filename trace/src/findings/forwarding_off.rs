//! The packet would have to go on, and this host forwards nothing.

use net::Family;

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::Cause;

documented! {
    /// The packet would have to be forwarded, and forwarding is off.
    ///
    /// # You see
    /// Services answer on this node from the node itself and time out from
    /// anywhere else: their packets are translated to a pod, and then the
    /// kernel is asked to forward them.
    /// # Check by hand
    /// `sysctl net.ipv4.ip_forward` (`net.ipv6.conf.all.forwarding`) is 0. A
    /// single interface can be set apart: `net.ipv4.conf.INTERFACE.forwarding`.
    /// # Put it right
    /// Turn it on, and write it below `/etc/sysctl.d`. Something may turn it
    /// off again: `systemd-networkd` (IPForward=), a hardening profile, or a
    /// file with a higher number.
    pub(crate) const DOC: FindingDoc = "forwarding-off";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    if sight.outcome.cause != Cause::ForwardingOff {
        return None;
    }
    let to = sight.destination();
    let family = Family::of(to.addr);
    let link = sight.answers[sight.answer].iif.as_deref().unwrap_or("lo");
    let sysctls = &sight.host.sysctls;
    let is_all = sysctls.number("net.ipv4.conf.all.forwarding", 0) != 0
        || sysctls.number("net.ipv4.ip_forward", 0) != 0;
    // IPv4 asks the interface that the packet came in on; `ip_forward` sets them all.
    let name = match family {
        Family::V4 if is_all => vec!["net", "ipv4", "conf", link, "forwarding"],
        Family::V4 => vec!["net", "ipv4", "ip_forward"],
        Family::V6 => vec!["net", "ipv6", "conf", "all", "forwarding"],
    };
    let mut why = Vec::new();
    if to != sight.question.to {
        why.push(format!("{} is translated to {to}", sight.question.to));
    }
    why.push(format!("{} is no address of this host", to.addr));
    let setting = words::setting(&name);
    Some(Finding {
        fix: Some(Fix {
            say: "let this host forward".to_owned(),
            command: setting.as_ref().map(|name| format!("sysctl -w {name}=1")),
        }),
        check: setting.map(|name| format!("sysctl {name}")),
        ..sight.finding(
            &DOC,
            format!("the way leads on to {to}, and {family} forwarding is off"),
            why,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITH_ENDPOINTS, World};

    #[test]
    fn a_service_behind_a_host_that_does_not_forward_is_out_of_reach() {
        let mut world = World::of(RULES_WITH_ENDPOINTS, &[]);
        world.host.sysctls.insert("net.ipv4.ip_forward", "0");
        let found = world.findings("192.168.77.1:31081");
        let off = found.iter().find(|f| f.code == "forwarding-off").unwrap();
        assert!(
            off.title.ends_with("IPv4 forwarding is off"),
            "{}",
            off.title
        );
        let command = off.fix.as_ref().unwrap().command.as_deref();
        assert_eq!(command, Some("sysctl -w net.ipv4.ip_forward=1"));
        assert_eq!(off.check.as_deref(), Some("sysctl net.ipv4.ip_forward"));
    }
}
