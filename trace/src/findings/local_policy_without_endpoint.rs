//! A Service may only send clients to pods of this node, and there are none.

use super::common::doc::documented;
use super::common::sight::{Blame, Sight};
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::{RuleRef, Step};
use host::nft::Expr;
use host::{RuleBody, Table};

documented! {
    /// Every ready endpoint of a Local-policy Service is on another node.
    ///
    /// # You see
    /// Connections time out on this node and work on others. Behind a load
    /// balancer that ignores health checks a part of all connections hangs.
    ///
    /// Under `externalTrafficPolicy: Local` clients from outside must not be
    /// sent on to another node; under `internalTrafficPolicy: Local` neither
    /// may pods and processes of this node. Without an endpoint here their
    /// packets are dropped, so that a load balancer notices and moves on.
    /// # Check by hand
    /// `iptables-save | grep 'NAME.* has no local endpoints'`, or
    /// `nft list ruleset | grep -w NAME` with the verdict `drop` in a map of
    /// kube-proxy's. `curl -s http://NODE:HEALTHCHECKPORT/healthz` says
    /// `"localEndpoints": 0`.
    /// # Put it right
    /// Run a ready pod of the Service on this node, let the load balancer obey
    /// the health-check port (`.spec.healthCheckNodePort`), or set the policy to
    /// `Cluster`: pods then no longer see the clients' own addresses.
    pub(crate) const DOC: FindingDoc = "local-policy-without-endpoint";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let Blame { service, step } = sight.meant_to_drop()?;
    if !lacks_local(sight, step) {
        return None;
    }
    let is_internal = is_internal(sight, step);
    let policy = if is_internal {
        "internalTrafficPolicy"
    } else {
        "externalTrafficPolicy"
    };
    let title = format!("{service} has no endpoint on this node");
    let others = match sight.names.ready(&service) {
        Some(0) => "and no endpoint is ready anywhere".to_owned(),
        Some(1) => "and the one ready endpoint is on another node".to_owned(),
        Some(ready) => format!("and the {ready} ready endpoints are on other nodes"),
        None => "and no ready endpoint is on this node".to_owned(),
    };
    let mut why = vec![
        words::has_frontend(sight, &service),
        format!("its {policy} is Local, {others}"),
    ];
    if sight.stopped_by().is_none() {
        why.push(words::MARKED_IN_VAIN.to_owned());
    }
    let patch = format!(r#"{{"spec":{{"{policy}":"Cluster"}}}}"#);
    let say = "run a ready pod of the Service on this node\nor let this node send clients on to \
               others, which hides their addresses";
    Some(Finding {
        fix: Some(Fix {
            say: say.to_owned(),
            command: words::kubectl(&service, "patch", &format!("--type=merge -p '{patch}'")),
        }),
        check: words::show(sight, step),
        ..sight.finding(&DOC, title, why)
    })
}

/// kube-proxy says so in a rule's comment. Its nftables tables drop by a map that holds
/// nothing else (pkg/proxy/nftables/proxier.go).
fn lacks_local(sight: &Sight<'_>, step: &Step) -> bool {
    let at = step.rule.as_ref();
    sight.comment(step).contains("has no local endpoints")
        || at.is_some_and(|at| looks_into(sight, at, "no-endpoint"))
}

fn looks_into(sight: &Sight<'_>, at: &RuleRef, name: &str) -> bool {
    let Some(RuleBody::Nft(exprs)) = sight.rule(at).map(|rule| &rule.body) else {
        return false;
    };
    exprs
        .iter()
        .any(|expr| matches!(expr, Expr::Lookup { set, .. } if set.starts_with(name)))
}

/// Whether the address asked for is the Service's own within the cluster.
fn is_internal(sight: &Sight<'_>, step: &Step) -> bool {
    let Some(at) = &step.rule else { return false };
    // kube-proxy's filter chain KUBE-SERVICES is for cluster addresses alone.
    sight.chain(at).name == "KUBE-SERVICES" || has_cluster_ip(sight, sight.table(at))
}

fn has_cluster_ip(sight: &Sight<'_>, table: &Table) -> bool {
    let addr = net::octets(sight.question.to.addr);
    let mut sets = table.sets.iter().filter(|set| set.name == "cluster-ips");
    sets.any(|set| {
        set.elements.iter().any(|element| match &element.key {
            host::nft::Key::Fields(fields) => {
                fields.first().is_some_and(|field| *field.first == *addr)
            }
            host::nft::Key::CatchAll => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITH_LOCAL_POLICY, World};

    #[test]
    fn a_drop_for_want_of_a_local_endpoint_is_named() {
        let mut world = World::of(RULES_WITH_LOCAL_POLICY, &[]);
        world.ready = Some(1);
        let found = world.findings("192.168.77.1:31083");
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["local-policy-without-endpoint"]);
        assert_eq!(
            found[0].why,
            [
                "Service shop/local-away has NodePort 31083 for port http",
                "its externalTrafficPolicy is Local, and the one ready endpoint is on another \
                 node"
            ]
        );
        let check = "iptables -t nat -S KUBE-XLB-7EGNPK25QZDIHRAT 3";
        assert_eq!(found[0].check.as_deref(), Some(check));
        assert_eq!(
            found[0].fix.clone().unwrap().command.unwrap(),
            "kubectl -n shop patch service local-away --type=merge \
             -p '{\"spec\":{\"externalTrafficPolicy\":\"Cluster\"}}'"
        );
    }

    #[test]
    fn a_newer_proxy_drops_in_the_filter_table() {
        let rules = "*filter\n:INPUT ACCEPT\n:KUBE-EXTERNAL-SERVICES -\n\
            -A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES\n\
            -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment \
            \"shop/local-away:http has no local endpoints\" -m addrtype --dst-type LOCAL \
            -m tcp --dport 31083 -j DROP\nCOMMIT\n";
        let world = World::of(rules, &[]);
        assert_eq!(
            world.codes("192.168.77.1:31083"),
            ["local-policy-without-endpoint"]
        );
    }

    #[test]
    fn a_listener_on_the_port_is_told_first() {
        let world = World::of(RULES_WITH_LOCAL_POLICY, &["tcp/0.0.0.0:31083=second"]);
        assert_eq!(
            world.codes_from_outside("192.168.77.1:31083"),
            ["nodeport-shadows-listener", "local-policy-without-endpoint"]
        );
    }
}
