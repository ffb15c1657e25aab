//! In whose name a rule stands: Services, from comments and from names of chains and sets.

use host::Host;
use net::ServiceName;

use crate::answer::Step;

/// The Service that the last telling step of a way belongs to.
pub(crate) fn service(host: &Host, steps: &[Step]) -> Option<ServiceName> {
    steps.iter().rev().find_map(|step| {
        let at = step.rule.as_ref()?;
        let table = &host.ruleset.tables[at.table];
        let chain = &table.chains[at.chain];
        let comment = at
            .rule
            .and_then(|rule| chain.rules[rule].comment.as_deref());
        let called = match &step.did {
            crate::answer::Did::Jump { chain } | crate::answer::Did::Goto { chain } => {
                in_chain_name(chain)
            }
            _ => None,
        };
        comment
            .and_then(in_comment)
            .or(called)
            .or_else(|| in_chain_name(&chain.name))
    })
}

/// kube-proxy's iptables comments begin with `NAMESPACE/NAME` or `NAMESPACE/NAME:PORT`, some
/// followed by words (`has no endpoints`, `loadbalancer IP`).
pub(crate) fn in_comment(comment: &str) -> Option<ServiceName> {
    let first = comment.trim_matches('"').split_ascii_whitespace().next()?;
    first.parse().ok()
}

/// kube-proxy's nftables chains: `service-HASH-NAMESPACE/NAME/PROTOCOL/PORT`, also
/// `external-`, `endpoint-`, `firewall-`; the port may be empty.
pub(crate) fn in_chain_name(chain: &str) -> Option<ServiceName> {
    let rest = ["service-", "external-", "endpoint-", "firewall-"]
        .iter()
        .find_map(|prefix| chain.strip_prefix(prefix))?;
    let (hash, rest) = rest.split_once('-')?;
    if hash.len() != 8 {
        return None;
    }
    let mut parts = rest.split('/');
    let (namespace, name) = (parts.next()?, parts.next()?);
    let _proto = parts.next()?;
    let port = parts.next().unwrap_or("");
    let port = port.split_once("__").map_or(port, |(port, _)| port);
    let text = if port.is_empty() {
        format!("{namespace}/{name}")
    } else {
        format!("{namespace}/{name}:{port}")
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_its_service_whatever_follows() {
        let name = in_comment("default/nginx:http has no endpoints").unwrap();
        assert_eq!(name.to_string(), "default/nginx:http");
        assert_eq!(in_comment("kubernetes service portals"), None);
    }

    #[test]
    fn a_chain_of_the_nftables_proxy_names_its_service() {
        let name = in_chain_name("endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80").unwrap();
        assert_eq!(name.to_string(), "ns1/svc1:p80");
    }
}
