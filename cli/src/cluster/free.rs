//! A NodePort that nobody has.

use std::collections::BTreeSet;

use host::nft::Key;
use host::xt::{Match, Not, PortRange, PortSide};
use host::{Host, Rule, RuleBody};
use net::Proto;

/// The range that the API server gives NodePorts from, unless told otherwise
/// (`--service-node-port-range`); its lower end is for people to choose from.
const RANGE: std::ops::RangeInclusive<u16> = 30000..=32767;

/// The lowest NodePort that no Service in `taken` has, no socket of the host is bound to, and
/// no rule of the host asks for: proxies have a rule for each NodePort of the cluster.
pub(super) fn node_port(host: &Host, proto: Proto, taken: &BTreeSet<u16>) -> Option<u16> {
    let sockets = host.sockets.iter().filter(|socket| socket.proto == proto);
    let bound: BTreeSet<u16> = sockets.map(|socket| socket.port).collect();
    let ruled = ruled(host);
    RANGE
        .into_iter()
        .find(|port| !taken.contains(port) && !bound.contains(port) && !ruled.contains(port))
}

/// Ports that any rule or set of the host names one by one.
fn ruled(host: &Host) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for table in &host.ruleset.tables {
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        rules.for_each(|rule| in_rule(rule, &mut ports));
        let elements = table.sets.iter().flat_map(|set| &set.elements);
        for element in elements {
            let Key::Fields(fields) = &element.key else {
                continue;
            };
            let exact = fields.iter().filter(|field| field.first == field.last);
            ports.extend(exact.filter_map(|field| number(&field.first)));
        }
    }
    ports
}

/// A port in network order; other fields of two bytes do no harm here.
fn number(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_be_bytes)
}

fn in_rule(rule: &Rule, ports: &mut BTreeSet<u16>) {
    match &rule.body {
        RuleBody::Xt(rule) => rule.matches.iter().for_each(|test| in_match(test, ports)),
        RuleBody::Nft(exprs) => {
            for expr in exprs {
                match expr {
                    host::nft::Expr::Cmp { data, .. } => ports.extend(number(data)),
                    host::nft::Expr::Match(test) => in_match(test, ports),
                    _ => {}
                }
            }
        }
        RuleBody::Gap(_) => {}
    }
}

fn in_match(test: &Match, ports: &mut BTreeSet<u16>) {
    let exact = |range: &PortRange| (range.0 == range.1).then_some(range.0);
    match test {
        Match::Tcp(ends) | Match::Udp(ends) | Match::Sctp(ends) => {
            let dport: Option<Not<PortRange>> = ends.dport;
            ports.extend(dport.and_then(|dport| exact(&dport.value)));
        }
        Match::Multiport(list) if list.side != PortSide::Source => {
            ports.extend(list.ports.iter().filter_map(exact));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use host::parse;

    use super::*;

    #[test]
    fn a_port_of_a_service_a_socket_or_a_rule_is_not_free() {
        let mut host = Host::default();
        let socket = parse::listen("tcp/0.0.0.0:30001=x").unwrap();
        host.sockets.push(socket);
        let text = "*nat\n:X - [0:0]\n-A X -p tcp -m tcp --dport 30002 -j ACCEPT\n\
                    -A X -p tcp -m multiport --dports 30003,30005 -j ACCEPT\nCOMMIT\n";
        let input = parse::Input {
            name: "rules",
            text: text.as_bytes(),
        };
        host.ruleset.tables = parse::iptables_save(input).0;
        let taken = BTreeSet::from([30000]);
        assert_eq!(node_port(&host, Proto::TCP, &taken), Some(30004));
        assert_eq!(node_port(&host, Proto::UDP, &taken), Some(30001));
    }
}
