//! Which address and port are asked about.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, bail};
use host::Host;
use net::{Endpoint, Family, Proto};
use service::Catalog;

/// The scope of addresses that others can use (`RT_SCOPE_UNIVERSE`, rtnetlink.h).
const GLOBAL: u8 = 0;

/// A target as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// An address and port.
    Endpoint(Endpoint),
    /// A port of this host.
    Port(u16),
    /// A Service, all its ports or the one of this name or number.
    Service {
        namespace: String,
        name: String,
        port: Option<String>,
    },
}

/// A question's destination, with a remark where somebody may wonder why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) proto: Proto,
    pub(crate) to: Endpoint,
    pub(crate) remark: Option<String>,
}

impl Target {
    /// Reads the words of a target.
    pub(crate) fn parse(words: &[String]) -> anyhow::Result<Self> {
        match words {
            [kind, name] if kind == "service" => service(name),
            [kind] if kind == "service" => bail!("why: `service` needs NAMESPACE/NAME[:PORT]"),
            [one] => match one.strip_prefix("service/") {
                Some(name) => service(name),
                None => endpoint(one),
            },
            [first, second, ..] => bail!(
                "why: cannot read `{first} {second}` as one target: give ADDRESS:PORT, localhost:PORT, \
                 :PORT, or `service NAMESPACE/NAME[:PORT]`"
            ),
            [] => bail!("why: no target: give ADDRESS:PORT or :PORT"),
        }
    }

    /// The address and port, where the target is one by itself.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Endpoint(to) => Some(*to),
            Self::Port(_) | Self::Service { .. } => None,
        }
    }

    /// The destinations to ask about.
    pub(crate) fn resolve(
        &self,
        proto: Proto,
        host: &Host,
        catalog: &Catalog,
    ) -> anyhow::Result<Vec<Asked>> {
        match self {
            Self::Endpoint(to) => Ok(vec![Asked {
                proto,
                to: *to,
                remark: None,
            }]),
            Self::Port(port) => {
                let (addr, why) = own_addr(host, None).with_context(|| {
                    format!("why: cannot tell which address of this host :{port} means: give ADDRESS:{port}")
                })?;
                let to = Endpoint { addr, port: *port };
                let remark = Some(format!("asking about {to}, {why}"));
                Ok(vec![Asked { proto, to, remark }])
            }
            Self::Service {
                namespace,
                name,
                port,
            } => of_service(host, catalog, (namespace, name), port.as_deref()),
        }
    }
}

fn service(text: &str) -> anyhow::Result<Target> {
    let (path, port) = text
        .split_once(':')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let Some((namespace, name)) = path.split_once('/') else {
        bail!("why: `{text}` is no Service: give NAMESPACE/NAME or NAMESPACE/NAME:PORT");
    };
    Ok(Target::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        port: port.map(str::to_owned),
    })
}

fn endpoint(text: &str) -> anyhow::Result<Target> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|&port| port != 0);
    if let Some(port) = port(text.strip_prefix(':').unwrap_or(text)) {
        return Ok(Target::Port(port));
    }
    if let Ok(Endpoint { addr, port }) = text.parse() {
        // A client that connects to a mapped address speaks IPv4.
        let addr = addr.to_canonical();
        return Ok(Target::Endpoint(Endpoint { addr, port }));
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(port) {
        let addr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        return Ok(Target::Endpoint(Endpoint { addr, port }));
    }
    if let Ok(addr) = text.parse::<IpAddr>() {
        let example = Endpoint { addr, port: 80 };
        bail!("why: `{text}` has no port: write it as {example}");
    }
    match text.rsplit_once(':') {
        Some((name, number)) if port(number).is_some() => {
            bail!("why: `{name}` is no address, and names are not looked up: give ADDRESS:{number}")
        }
        _ => bail!(
            "why: cannot read the target `{text}`: give ADDRESS:PORT, [V6ADDRESS]:PORT, \
             localhost:PORT, :PORT, or `service NAMESPACE/NAME[:PORT]`"
        ),
    }
}

/// The address of this host that others are most likely to use, and why it is this one.
fn own_addr(host: &Host, family: Option<Family>) -> Option<(IpAddr, String)> {
    let families = match family {
        Some(family) => vec![family],
        None => vec![Family::V4, Family::V6],
    };
    let preferred = families.iter().find_map(|&f| by_default_route(host, f));
    preferred.or_else(|| {
        let global = families.iter().find_map(|&f| first_global(host, f, None));
        let global = global.map(|addr| (addr, "the first address that others can use".to_owned()));
        global.or_else(|| loopback(host, &families))
    })
}

/// The source that the default route prefers, else the first address on its link.
fn by_default_route(host: &Host, family: Family) -> Option<(IpAddr, String)> {
    let all = net::Prefix::all(family);
    let defaults = host.routes.iter().filter(|route| {
        route.dst == all && route.table == 254 && route.kind == host::RouteKind::Unicast
    });
    let route = defaults.min_by_key(|route| route.metric)?;
    let link = route.next_hops.iter().find_map(|hop| hop.link);
    let addr = route
        .preferred_source
        .or_else(|| first_global(host, family, Some(link?)))?;
    Some((
        addr,
        "the address that the default route prefers".to_owned(),
    ))
}

fn first_global(host: &Host, family: Family, link: Option<u32>) -> Option<IpAddr> {
    let is_meant = |address: &&host::Address| {
        address.scope == GLOBAL
            && !address.addr.is_loopback()
            && Family::of(address.addr) == family
            && link.is_none_or(|link| link == address.link)
    };
    host.addresses.iter().find(is_meant).map(|a| a.addr)
}

/// The loopback address of a host that has no other.
fn loopback(host: &Host, families: &[Family]) -> Option<(IpAddr, String)> {
    let own = host.addresses.iter().map(|address| address.addr);
    let mut own = own.filter(|addr| addr.is_loopback() && families.contains(&Family::of(*addr)));
    own.next()
        .map(|addr| (addr, "the only kind of address here".to_owned()))
}

/// The cluster addresses of a Service, and its node port on this host.
fn of_service(
    host: &Host,
    catalog: &Catalog,
    (namespace, name): (&str, &str),
    port: Option<&str>,
) -> anyhow::Result<Vec<Asked>> {
    let is_meant = |promise: &&service::Promise| {
        port.is_none_or(|port| promise.name.port == port || promise.port.to_string() == port)
    };
    let mut asked = Vec::new();
    let mut is_known = false;
    for promise in catalog.ports_of(namespace, name).filter(is_meant) {
        is_known = true;
        for &addr in &promise.cluster_ips {
            let to = Endpoint {
                addr,
                port: promise.port,
            };
            asked.push((promise, to, "cluster address"));
        }
        let families = promise.cluster_ips.iter().map(|&addr| Family::of(addr));
        for (family, port) in families.zip(promise.node_port.into_iter().cycle()) {
            if let Some((addr, _)) = own_addr(host, Some(family)) {
                asked.push((promise, Endpoint { addr, port }, "node port"));
            }
        }
    }
    if !is_known {
        let of = port.map_or(String::new(), |port| format!(" with a port {port}"));
        bail!(
            "why: there is no Service {namespace}/{name}{of} among the manifests: give --manifests \
             DIR, or its ADDRESS:PORT"
        );
    }
    if asked.is_empty() {
        bail!("why: Service {namespace}/{name} has no address and no node port: ask about a pod");
    }
    let with_remark = |(promise, to, what): (&service::Promise, Endpoint, &str)| Asked {
        proto: promise.proto,
        to,
        remark: Some(format!("asking about {to}, {what} of {}", promise.name)),
    };
    Ok(asked.into_iter().map(with_remark).collect())
}

#[cfg(test)]
mod tests {
    use host::{Address, NextHop, Route, RouteKind};
    use net::Prefix;

    use super::*;

    fn parse(text: &str) -> Result<Target, String> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Target::parse(&words).map_err(|error| error.to_string())
    }

    fn address(link: u32, text: &str) -> Address {
        let prefix: Prefix = text.parse().unwrap();
        Address {
            link,
            addr: text.split('/').next().unwrap().parse().unwrap(),
            prefix,
            peer: None,
            secondary: false,
            scope: 0,
        }
    }

    #[test]
    fn a_bare_port_means_this_host() {
        assert_eq!(parse("30584"), Ok(Target::Port(30584)));
        assert_eq!(parse(":53"), Ok(Target::Port(53)));
        assert!(parse("0").is_err());
        assert!(parse(":70000").is_err());
    }

    #[test]
    fn a_service_is_named_in_one_word_or_two() {
        let two = parse("service shop/web:http").unwrap();
        assert_eq!(parse("service/shop/web:http"), Ok(two.clone()));
        let port = Some("http".to_owned());
        let (namespace, name) = ("shop".to_owned(), "web".to_owned());
        assert_eq!(
            two,
            Target::Service {
                namespace,
                name,
                port
            }
        );
    }

    #[test]
    fn a_name_is_not_looked_up_and_localhost_needs_no_look_up() {
        assert_eq!(
            parse("db:5432").unwrap_err(),
            "why: `db` is no address, and names are not looked up: give ADDRESS:5432"
        );
        let to = "127.0.0.1:80".parse().unwrap();
        assert_eq!(parse("localhost:80"), Ok(Target::Endpoint(to)));
    }

    #[test]
    fn an_address_without_a_port_says_how_to_write_it() {
        assert_eq!(
            parse("fd00::1").unwrap_err(),
            "why: `fd00::1` has no port: write it as [fd00::1]:80"
        );
    }

    #[test]
    fn a_port_of_this_host_is_asked_at_the_address_the_default_route_prefers() {
        let mut host = Host {
            addresses: vec![address(2, "10.0.0.5/24"), address(3, "192.0.2.5/24")],
            ..Host::default()
        };
        let asked = |host: &Host| {
            let catalog = Catalog::default();
            let asked = Target::Port(80)
                .resolve(Proto::TCP, host, &catalog)
                .unwrap();
            asked[0].remark.clone().unwrap()
        };
        assert_eq!(
            asked(&host),
            "asking about 10.0.0.5:80, the first address that others can use"
        );
        host.routes.push(Route {
            table: 254,
            kind: RouteKind::Unicast,
            dst: Prefix::all(Family::V4),
            src: None,
            tos: 0,
            metric: 0,
            preferred_source: None,
            next_hops: vec![NextHop {
                link: Some(3),
                gateway: None,
                weight: 1,
                dead: false,
            }],
        });
        assert_eq!(
            asked(&host),
            "asking about 192.0.2.5:80, the address that the default route prefers"
        );
    }
}
