//! Short forms of what a host has, for hosts that people put together by hand.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use net::{Family, Prefix, Proto};

use crate::{Holder, NextHop, Route, RouteKind, Socket, SocketState};

/// Why a text is no short form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortError {
    text: String,
    form: &'static str,
}

impl fmt::Display for ShortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no {}", self.text, self.form)
    }
}

impl std::error::Error for ShortError {}

/// An address on a link, by the link's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressText {
    /// The address itself.
    pub addr: IpAddr,
    /// The prefix that is on the link.
    pub prefix: Prefix,
    /// The name of the link.
    pub link: String,
}

/// Reads `PROTO/ADDRESS:PORT[=NAME]`, a socket that listens and who holds it. `*` is a
/// wildcard of both families, `[::]` one of IPv6 alone.
///
/// # Errors
/// [`ShortError`] where the text is none.
pub fn listen(text: &str) -> Result<Socket, ShortError> {
    let form = "listening socket such as tcp/0.0.0.0:30584=webd";
    let wrong = || ShortError {
        text: text.to_owned(),
        form,
    };
    let (socket, name) = text.split_once('=').unwrap_or((text, ""));
    let (proto, local) = socket.split_once('/').ok_or_else(wrong)?;
    let proto: Proto = proto.parse().map_err(|_| wrong())?;
    let (addr, port) = local.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|&p| p != 0).ok_or_else(wrong)?;
    let bare = addr.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let wildcard = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let (addr, is_dual) = match (addr, bare) {
        ("*", _) => (wildcard, true),
        (_, Some(v6)) => (IpAddr::V6(v6.parse().map_err(|_| wrong())?), false),
        (v4, None) => (IpAddr::V4(v4.parse().map_err(|_| wrong())?), false),
    };
    Ok(Socket {
        proto,
        state: if proto == Proto::UDP {
            SocketState::Unconnected
        } else {
            SocketState::Listen
        },
        addr,
        port,
        peer: None,
        v6_only: addr == wildcard && !is_dual,
        device: None,
        uid: 0,
        inode: 0,
        mark: None,
        transparent: None,
        holder: (!name.is_empty()).then(|| Holder::from_cgroup(name, None, "")),
    })
}

/// Reads `ADDRESS[/LENGTH]@LINK`.
///
/// # Errors
/// [`ShortError`] where the text is none.
pub fn address(text: &str) -> Result<AddressText, ShortError> {
    let wrong = || ShortError {
        text: text.to_owned(),
        form: "address on a link such as 192.0.2.1/24@eth0",
    };
    let (addr, link) = text.rsplit_once('@').ok_or_else(wrong)?;
    let prefix: Prefix = addr.parse().map_err(|_| wrong())?;
    let bare = addr.split('/').next().unwrap_or(addr);
    let addr = bare.parse().map_err(|_| wrong())?;
    if link.is_empty() {
        return Err(wrong());
    }
    Ok(AddressText {
        addr,
        prefix,
        link: link.to_owned(),
    })
}

/// Reads `[KIND] PREFIX|default [via GATEWAY] [dev LINK] [table N] [src ADDRESS] [metric N]`
/// as `ip route` prints it; `index_of` tells the index of a link by its name. A default route
/// is of the family of its gateway or source, else of IPv4.
///
/// # Errors
/// [`ShortError`] where the text is none, or where it names a link that is not there.
pub fn route(text: &str, index_of: impl Fn(&str) -> Option<u32>) -> Result<Route, ShortError> {
    let wrong = |form| ShortError {
        text: text.to_owned(),
        form,
    };
    let form = "route such as 10.0.0.0/8 via 192.0.2.1 dev eth0 table 100 src 192.0.2.9";
    let mut words = text.split_whitespace();
    let first = words.next().ok_or_else(|| wrong(form))?;
    let kind = kind_of(first);
    let dst = match kind {
        Some(_) => words.next().ok_or_else(|| wrong(form))?,
        None => first,
    };
    let kind = kind.unwrap_or(RouteKind::Unicast);
    let mut read = Words::default();
    while let Some(key) = words.next() {
        let value = words.next().ok_or_else(|| wrong(form))?;
        if key == "dev" {
            let link = index_of(value);
            read.link = Some(link.ok_or_else(|| wrong("route over a link of this host"))?);
        } else {
            read.take(key, value).ok_or_else(|| wrong(form))?;
        }
    }
    let family = read.gateway.or(read.src).map_or(Family::V4, Family::of);
    let dst = match dst {
        "default" => Prefix::all(family),
        _ => dst.parse().map_err(|_| wrong(form))?,
    };
    let is_dead_end = matches!(
        kind,
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw
    );
    let hop = NextHop {
        link: read.link,
        gateway: read.gateway,
        weight: 1,
        dead: false,
    };
    if !is_dead_end && hop.link.is_none() && hop.gateway.is_none() {
        return Err(wrong(form));
    }
    Ok(Route {
        table: read.table.unwrap_or(254),
        kind,
        dst,
        src: None,
        tos: 0,
        metric: read.metric,
        preferred_source: read.src,
        next_hops: if is_dead_end { Vec::new() } else { vec![hop] },
    })
}

/// What stands behind the destination of a route.
#[derive(Debug, Default)]
struct Words {
    gateway: Option<IpAddr>,
    src: Option<IpAddr>,
    link: Option<u32>,
    table: Option<u32>,
    metric: u32,
}

impl Words {
    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "via" => self.gateway = Some(value.parse().ok()?),
            "src" => self.src = Some(value.parse().ok()?),
            "metric" => self.metric = value.parse().ok()?,
            "table" => {
                self.table = Some(match value {
                    "local" => 255,
                    "main" => 254,
                    "default" => 253,
                    _ => value.parse().ok()?,
                });
            }
            // Where it came from and how far it reaches make no difference to a packet.
            "proto" | "scope" => {}
            _ => return None,
        }
        Some(())
    }
}

fn kind_of(name: &str) -> Option<RouteKind> {
    Some(match name {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_of(name: &str) -> Option<u32> {
        (name == "eth0").then_some(2)
    }

    #[test]
    fn a_listening_socket_may_name_its_holder() {
        let socket = listen("tcp/0.0.0.0:30584=webd").unwrap();
        assert_eq!(socket.holder.unwrap().name, "webd");
        assert_eq!(socket.state, SocketState::Listen);
        assert_eq!(
            listen("udp/[::]:53").unwrap().state,
            SocketState::Unconnected
        );
    }

    #[test]
    fn a_star_takes_both_families() {
        assert!(!listen("tcp/*:80").unwrap().v6_only);
        assert!(listen("tcp/[::]:80").unwrap().v6_only);
    }

    #[test]
    fn a_text_that_is_none_is_told_the_form() {
        for text in [
            "",
            "tcp",
            "tcp/1.2.3.4",
            "tcp/1.2.3.4:0",
            "x/1.2.3.4:5",
            "tcp/::1:80",
        ] {
            let error = listen(text).unwrap_err().to_string();
            assert!(error.contains("tcp/0.0.0.0:30584=webd"), "{error}");
        }
    }

    #[test]
    fn an_address_stands_on_a_link() {
        let address = address("192.168.77.1/24@vcli").unwrap();
        assert_eq!(address.addr.to_string(), "192.168.77.1");
        assert_eq!(address.prefix.to_string(), "192.168.77.0/24");
        assert_eq!(address.link, "vcli");
        for text in ["", "192.168.77.1/24", "x@y", "192.168.77.1@"] {
            assert!(super::address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_route_is_written_as_ip_route_prints_it() {
        let text = "10.0.0.0/8 via 192.0.2.1 dev eth0 table 100 src 192.0.2.9 metric 5";
        let route = route(text, index_of).unwrap();
        assert_eq!((route.table, route.metric), (100, 5));
        assert_eq!(route.next_hops[0].link, Some(2));
        assert_eq!(route.preferred_source.unwrap().to_string(), "192.0.2.9");
    }

    #[test]
    fn a_default_route_is_of_the_family_of_its_gateway() {
        let v6 = route("default via fe80::1 dev eth0", index_of).unwrap();
        assert_eq!(v6.dst, Prefix::all(Family::V6));
        let v4 = route("default dev eth0", index_of).unwrap();
        assert_eq!(v4.dst, Prefix::all(Family::V4));
    }

    #[test]
    fn a_route_may_lead_nowhere_but_not_by_accident() {
        let nowhere = route("unreachable 10.0.0.0/8", index_of).unwrap();
        assert_eq!(nowhere.next_hops, []);
        for text in [
            "",
            "10.0.0.0/8",
            "10.0.0.0/8 dev eth9",
            "default via x",
            "unreachable",
        ] {
            assert!(route(text, index_of).is_err(), "{text}");
        }
    }
}
