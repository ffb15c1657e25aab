//! A Service has nobody to send clients to.

use super::common::doc::documented;
use super::common::sight::{Blame, Sight};
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::Did;

documented! {
    /// A Service has no ready endpoint anywhere, and its clients are refused.
    ///
    /// # You see
    /// "Connection refused" at once, on every node, at the Service's cluster
    /// address, its NodePort and its external addresses alike.
    /// # Check by hand
    /// `kubectl -n NAMESPACE get endpointslices -l
    /// kubernetes.io/service-name=NAME` lists no ready endpoint.
    /// On the node, `iptables-save | grep 'NAME.* has no endpoints'` or
    /// `nft list map ip kube-proxy no-endpoint-services` names the Service.
    /// # Put it right
    /// Compare the Service's selector with the labels of the pods, look at why
    /// the pods are not ready, and compare `targetPort` with the names of
    /// their ports: a name that no pod has yields no endpoint.
    pub(crate) const DOC: FindingDoc = "service-without-endpoints";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let Blame { service, step } = sight.blame()?;
    let is_rejected = matches!(sight.stopped_by()?.did, Did::Reject(_));
    if !is_rejected || sight.listener().is_some() {
        return None;
    }
    let title = format!("{service} has no ready endpoints");
    let why = vec![format!(
        "{}, with no ready endpoint to send clients to",
        words::has_frontend(sight, &service)
    )];
    let say = "make a pod behind the Service ready: compare its selector with the pods' labels, \
               and their readiness";
    Some(Finding {
        fix: Some(Fix {
            say: say.to_owned(),
            command: words::kubectl(&service, "describe", ""),
        }),
        check: words::show(sight, step),
        ..sight.finding(&DOC, title, why)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITHOUT_ENDPOINTS, World};

    #[test]
    fn a_node_port_without_endpoints_refuses() {
        let world = World::of(RULES_WITHOUT_ENDPOINTS, &[]);
        let found = world.findings("192.168.77.1:30584");
        assert_eq!(found[0].code, "service-without-endpoints");
        assert_eq!(found[0].title, "default/nginx:http has no ready endpoints");
        let command = "kubectl -n default describe service nginx";
        let fix = found[0].fix.clone().unwrap();
        assert_eq!(fix.command.as_deref(), Some(command));
    }

    #[test]
    fn a_cluster_address_without_endpoints_refuses() {
        let world = World::of(RULES_WITHOUT_ENDPOINTS, &[]);
        let found = world.findings("10.107.20.80:80");
        assert_eq!(found[0].code, "service-without-endpoints");
        assert_eq!(
            found[0].why,
            [
                "Service default/nginx is served at 10.107.20.80:80 for port http, with no ready \
                 endpoint to send clients to"
            ]
        );
    }

    #[test]
    fn a_name_that_a_shell_would_take_for_an_option_is_in_no_command() {
        let rules = RULES_WITHOUT_ENDPOINTS.replace("default/nginx", "-rf/nginx");
        let found = World::of(&rules, &[]).findings("192.168.77.1:30584");
        assert_eq!(found[0].fix.clone().unwrap().command, None);
    }
}
