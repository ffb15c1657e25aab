//! In whose name a rule stands: Services, from comments and from names of chains and sets.

use std::net::IpAddr;

use host::nft::{Element, Expr, Key, KeyRange};
use host::{Host, RuleBody};
use net::{Endpoint, Proto, ServiceName};

use crate::answer::{Did, Step};

/// The Service that a step belongs to, as its rule, its chain or the chain it leads to says.
pub(crate) fn of_step(host: &Host, step: &Step) -> Option<ServiceName> {
    let at = step.rule.as_ref()?;
    let chain = &host.ruleset.tables[at.table].chains[at.chain];
    let comment = at
        .rule
        .and_then(|rule| chain.rules[rule].comment.as_deref())
        .filter(|_| is_of_kube_proxy(&chain.name));
    let called = match &step.did {
        Did::Jump { chain } | Did::Goto { chain } => in_chain_name(chain),
        _ => None,
    };
    comment
        .and_then(in_comment)
        .or(called)
        .or_else(|| in_chain_name(&chain.name))
}

/// The Service that the element of a set or map names which a step's rule found for packets
/// to `to`.
pub(crate) fn of_element(
    host: &Host,
    step: &Step,
    proto: Proto,
    to: Endpoint,
) -> Option<ServiceName> {
    let mut for_port = elements_for(host, step, proto, to.addr)
        .filter(|(_, ports)| ports.is_none_or(|(first, last)| (first..=last).contains(&to.port)));
    for_port.find_map(|(element, _)| in_comment(element.comment.as_deref()?))
}

/// Elements of the sets that a step's rule looks into, for packets to an address, each with the
/// ports it asks for.
pub(crate) fn elements_for<'h>(
    host: &'h Host,
    step: &Step,
    proto: Proto,
    addr: IpAddr,
) -> impl Iterator<Item = (&'h Element, Option<(u16, u16)>)> + use<'h> {
    let table = step.rule.as_ref().map(|at| &host.ruleset.tables[at.table]);
    let exprs = step.rule.as_ref().zip(table).and_then(|(at, table)| {
        match &table.chains[at.chain].rules[at.rule?].body {
            RuleBody::Nft(exprs) => Some((table, exprs)),
            RuleBody::Xt(_) | RuleBody::Gap(_) => None,
        }
    });
    let sets = exprs.into_iter().flat_map(|(table, exprs)| {
        exprs.iter().filter_map(|expr| match expr {
            Expr::Lookup { set, .. } => table.sets.iter().find(|known| *known.name == **set),
            _ => None,
        })
    });
    let elements = sets.flat_map(|set| &set.elements);
    let addr = net::octets(addr);
    elements.filter_map(move |element| Some((element, asks(element, proto, &addr)?)))
}

/// The ports that an element asks for where it is for packets to an address, if it asks for any.
/// A field of one byte is a protocol, one of two a port, a longer one an address: all that the
/// tables of Service proxies use.
#[expect(
    clippy::option_option,
    reason = "not for them, and for all of their ports, are two"
)]
fn asks(element: &Element, proto: Proto, addr: &[u8]) -> Option<Option<(u16, u16)>> {
    let Key::Fields(fields) = &element.key else {
        return None;
    };
    let mut ports = None;
    for field in fields {
        let value: &[u8] = match field.first.len() {
            1 => &[proto.0],
            2 => {
                ports = Some(both(ports, span(field)?));
                continue;
            }
            _ => addr,
        };
        let holds =
            field.first.len() == value.len() && *field.first <= *value && *value <= *field.last;
        if !holds {
            return None;
        }
    }
    Some(ports)
}

fn span(field: &KeyRange) -> Option<(u16, u16)> {
    let port = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.try_into().ok()?));
    Some((port(&field.first)?, port(&field.last)?))
}

/// What is in two ranges of ports, if there is a first.
fn both(known: Option<(u16, u16)>, (first, last): (u16, u16)) -> (u16, u16) {
    known.map_or((first, last), |(low, high)| {
        (first.max(low), last.min(high))
    })
}

/// Others put names with a slash into their comments as well.
pub(crate) fn is_of_kube_proxy(chain: &str) -> bool {
    chain.starts_with("KUBE-")
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

    #[test]
    fn an_element_is_for_its_address_protocol_and_port() {
        let one = |bytes: &[u8]| KeyRange {
            first: bytes.into(),
            last: bytes.into(),
        };
        let element = Element {
            key: Key::Fields(vec![one(&[10, 0, 0, 1]), one(&[6]), one(&[0, 80])]),
            data: None,
            comment: None,
            timeout: None,
            exprs: Vec::new(),
        };
        let asks = |addr: &[u8]| asks(&element, Proto::TCP, addr);
        assert_eq!(asks(&[10, 0, 0, 1]), Some(Some((80, 80))));
        assert_eq!(asks(&[10, 0, 0, 2]), None);
        assert_eq!(asks(&[0; 16]), None);
    }
}
