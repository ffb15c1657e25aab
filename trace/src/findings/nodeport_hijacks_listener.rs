//! A Service with endpoints gets the clients of a process of this host.

use net::Endpoint;

use super::common::doc::documented;
use super::common::sight::{Frontend, Sight, destination};
use super::common::words;
use super::{Finding, FindingDoc};
use crate::answer::{Did, Step};

documented! {
    /// A Service's NodePort rule translates away what a process of this host
    /// listens for.
    ///
    /// # You see
    /// Another program answers on the port than the one that `ss -tlnp` shows
    /// listening there, and that one logs nothing. TLS clients complain about
    /// a certificate of somebody else. Connections that were open before still
    /// reach the process, so some requests fail and others do not.
    ///
    /// A Service has the port number as its NodePort. The node's Service proxy
    /// translates such packets to a pod in PREROUTING (and in OUTPUT, for
    /// clients on this host) before the kernel looks for a listener.
    /// # Check by hand
    /// `iptables -t nat -S KUBE-NODEPORTS | grep -w PORT` shows the rule; its
    /// comment names the Service. With kube-proxy's nftables mode:
    /// `nft list map ip kube-proxy service-nodeports`.
    /// `ss -tlnp 'sport = :PORT'` shows the process.
    /// # Put it right
    /// Give the Service another NodePort, or let the process listen on another
    /// port. Keep it from happening again with a ResourceQuota of 0 on
    /// `services.nodeports` in namespaces that need no NodePorts.
    pub(crate) const DOC: FindingDoc = "nodeport-hijacks-listener";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    if !sight.is_known() {
        return None;
    }
    let service = sight.service_of(translation(sight)?)?;
    let listener = sight.listener()?;
    let backends = backends(sight);
    // A process of this host may be an endpoint of the Service: then the port is rightly its.
    let is_backend = |to: &Endpoint| {
        to.port == listener.port
            && sight.is_own(to.addr)
            && crate::deliver::accepts(listener, to.addr)
    };
    if backends.iter().any(is_backend) {
        return None;
    }
    let entrance = sight.entrance(&service);
    let what = match sight.frontend(&service) {
        Frontend::NodePort => "the port".to_owned(),
        Frontend::Addr => sight.question.to.to_string(),
    };
    let holder = words::holder(listener);
    let title = format!("{service} took {what} from {holder}; another server answers instead");
    let mut why = vec![format!(
        "{}, which leads to {}; {holder} listens on the same port and gets none of it",
        words::has_frontend(sight, &service),
        listed(&backends)
    )];
    if listener.holder.is_none() {
        why.push(words::MAY_BE_PROXY.to_owned());
    }
    Some(Finding {
        fix: Some(words::give_way(sight, &service)),
        check: entrance.and_then(|step| words::show(sight, step)),
        ..sight.finding(&DOC, title, why)
    })
}

fn translation<'a>(sight: &Sight<'a>) -> Option<&'a Step> {
    let is_translation = |step: &&Step| matches!(step.did, Did::Dnat { .. });
    sight.request().iter().find(is_translation)
}

/// Where the answer's outcomes lead, each once.
fn backends(sight: &Sight<'_>) -> Vec<Endpoint> {
    let outcomes = &sight.answers[sight.answer].outcomes;
    let mut backends: Vec<Endpoint> = outcomes.iter().filter_map(destination).collect();
    backends.sort();
    backends.dedup();
    backends
}

fn listed(backends: &[Endpoint]) -> String {
    match backends {
        [] => "a pod".to_owned(),
        [one] => one.to_string(),
        [one, other] => format!("{one} and {other}"),
        [one, other, rest @ ..] => format!("{one}, {other} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITH_ENDPOINTS, World};

    #[test]
    fn a_translation_in_the_name_of_a_service_hijacks_who_listens() {
        let world = World::of(RULES_WITH_ENDPOINTS, &["tcp/0.0.0.0:31081=envoy"]);
        let found = world.findings("192.168.77.1:31081");
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["nodeport-hijacks-listener"]);
        assert_eq!(
            found[0].why,
            [
                "Service shop/web has NodePort 31081 for port http, which leads to \
                 10.52.1.11:8080 and 10.52.1.12:8080; envoy listens on the same port and gets \
                 none of it"
            ]
        );
        let check = "iptables -t nat -S KUBE-NODEPORTS 2";
        assert_eq!(found[0].check.as_deref(), Some(check));
    }

    #[test]
    fn a_node_port_that_nobody_listens_on_is_just_served() {
        let world = World::of(RULES_WITH_ENDPOINTS, &["tcp/0.0.0.0:31081=kube-proxy"]);
        assert_eq!(world.codes("192.168.77.1:31081"), [""; 0]);
    }

    #[test]
    fn a_listener_that_is_an_endpoint_of_the_service_gets_its_share() {
        let rules = RULES_WITH_ENDPOINTS.replace("10.52.1.12:8080", "192.168.77.1:31081");
        let world = World::of(&rules, &["tcp/0.0.0.0:31081=agentd"]);
        assert_eq!(world.codes("192.168.77.1:31081"), [""; 0]);
    }
}
