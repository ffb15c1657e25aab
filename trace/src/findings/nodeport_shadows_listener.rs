//! A Service without endpoints keeps clients from a process of this host.

use super::common::doc::documented;
use super::common::sight::{Blame, Frontend, Sight};
use super::common::words;
use super::{Finding, FindingDoc};

documented! {
    /// A Service's NodePort rule rejects what a process of this host listens for.
    ///
    /// # You see
    /// Clients get "connection refused" (or a time-out, where the rule drops)
    /// although `ss -tlnp` shows the process listening, and it logs nothing.
    /// Connections that were open before go on working.
    ///
    /// A Service has the port number as its NodePort and no endpoint to send
    /// clients to. The node's Service proxy rejects such packets in INPUT, on
    /// every address of the host, without looking at who listens there.
    /// # Check by hand
    /// `iptables -t filter -S KUBE-EXTERNAL-SERVICES | grep -w PORT` shows the
    /// rule; its comment names the Service. With kube-proxy's nftables mode:
    /// `nft list map ip kube-proxy no-endpoint-nodeports`.
    /// `ss -tlnp 'sport = :PORT'` shows the process.
    /// # Put it right
    /// Give the Service another NodePort, or let the process listen on another
    /// port. Endpoints for the Service do not help the process: its clients
    /// then reach a pod instead (`berth explain nodeport-hijacks-listener`).
    /// Keep it from happening again with a ResourceQuota of 0 on
    /// `services.nodeports` in namespaces that need no NodePorts.
    pub(crate) const DOC: FindingDoc = "nodeport-shadows-listener";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let Blame { service, step } = sight.blame()?;
    let listener = sight.listener()?;
    let title = match sight.frontend(&service) {
        Frontend::NodePort => {
            format!("{service} took the port from the process that listens on it")
        }
        Frontend::Addr => format!(
            "{service} took {} from the process that listens on it",
            sight.question.to
        ),
    };
    let comment = sight.comment(step);
    let whole = words::whole(&service);
    let lacks = if comment.contains("has no local endpoints") {
        " and no endpoint on this node"
    } else if comment.contains("has no endpoints") || sight.names.ready(&service) == Some(0) {
        " and no ready endpoints"
    } else {
        ""
    };
    let has = words::has_frontend(sight, &service);
    let mut why = vec![format!(
        "{has}{lacks}; {} listens on the same port",
        words::holder(listener)
    )];
    if listener.holder.is_none() {
        why.push(words::MAY_BE_PROXY.to_owned());
    }
    if let Some(elsewhere) = sight.names.ready(&service).filter(|&ready| ready > 0) {
        why.push(format!("{whole} has {elsewhere} ready elsewhere"));
    }
    Some(Finding {
        fix: Some(words::give_way(sight, &service)),
        check: words::show(sight, step),
        ..sight.finding(&DOC, title, why)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITHOUT_ENDPOINTS, World};

    #[test]
    fn a_refusal_in_the_name_of_a_service_shadows_who_listens() {
        let world = World::of(RULES_WITHOUT_ENDPOINTS, &["tcp/0.0.0.0:30584=python3"]);
        let found = world.findings("192.168.77.1:30584");
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["nodeport-shadows-listener"]);
        let finding = &found[0];
        assert_eq!(
            finding.title,
            "default/nginx:http took the port from the process that listens on it"
        );
        assert_eq!(
            finding.why,
            [
                "Service default/nginx has NodePort 30584 for port http and no ready endpoints; \
                 python3 listens on the same port"
            ]
        );
        let check = "iptables -t filter -S KUBE-EXTERNAL-SERVICES 1";
        assert_eq!(finding.check.as_deref(), Some(check));
        assert_eq!(finding.answers, [0, 1]);
    }

    #[test]
    fn the_other_node_port_can_be_pasted_where_the_place_of_the_port_is_known() {
        let mut world = World::of(RULES_WITHOUT_ENDPOINTS, &["tcp/0.0.0.0:30584=python3"]);
        world.free = Some(31544);
        let command = |world: &World| {
            let found = world.findings("192.168.77.1:30584");
            found[0].fix.clone().unwrap().command
        };
        let edit = "kubectl -n default edit service nginx";
        assert_eq!(command(&world).as_deref(), Some(edit));
        world.index = Some(0);
        assert_eq!(
            command(&world).unwrap(),
            "kubectl -n default patch service nginx --type=json \
             -p='[{\"op\":\"replace\",\"path\":\"/spec/ports/0/nodePort\",\"value\":31544}]'"
        );
    }

    #[test]
    fn a_proxy_that_holds_its_own_node_port_loses_nothing() {
        let world = World::of(RULES_WITHOUT_ENDPOINTS, &["tcp/0.0.0.0:30584=kube-proxy"]);
        assert_eq!(
            world.codes("192.168.77.1:30584"),
            ["service-without-endpoints"]
        );
    }

    #[test]
    fn a_listener_on_another_address_is_not_shadowed() {
        let world = World::of(RULES_WITHOUT_ENDPOINTS, &["tcp/127.0.0.1:30584=python3"]);
        assert_eq!(
            world.codes("192.168.77.1:30584"),
            ["service-without-endpoints"]
        );
    }
}
