//! Whether the page is called by a name that it knows.
//!
//! A site on the internet can give its own name the address of this page, and have a browser
//! here read the page as if it were the site's. The browser then calls the page by that name.

use std::net::IpAddr;

/// Names that the page may be called by, besides the addresses that it is reached at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known(Vec<String>);

impl Known {
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| plain(name)).collect())
    }

    /// Whether a `Host` is one of these names, a loopback name or address, or the address
    /// `reached`, with any port: a tunnel has a port of its own.
    pub(super) fn knows(&self, host: &str, reached: IpAddr) -> bool {
        let Some(name) = without_port(host) else {
            return false;
        };
        if let Ok(addr) = name.parse::<IpAddr>() {
            let addr = addr.to_canonical();
            return addr.is_loopback() || addr == reached.to_canonical();
        }
        let name = plain(name);
        name == "localhost" || self.0.contains(&name)
    }
}

/// A name in small letters, without the dot that stands for the root.
fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

/// `NAME`, `NAME:PORT`, `[ADDRESS]`, `[ADDRESS]:PORT` without the brackets and the port.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match host.split_once(':') {
            Some((name, _)) => (name, &host[name.len()..]),
            None => (host, ""),
        },
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(host: &str) -> bool {
        let known = Known::new(&["Node-1.example.".to_owned()]);
        known.knows(host, "192.0.2.10".parse().unwrap())
    }

    #[test]
    fn loopback_the_address_reached_and_given_names_are_known_with_any_port() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:23784",
            "[::1]",
            "[::1]:1",
            "192.0.2.10:23784",
            "[::ffff:192.0.2.10]:80",
            "node-1.example",
            "node-1.EXAMPLE.:80",
        ] {
            assert!(knows(host), "{host}");
        }
    }

    #[test]
    fn any_other_name_is_unknown() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.11",
            "localhost:80@evil.example",
            "localhost:x",
            "[::1",
            "[::1]x",
            "::1",
            "localhost:123456",
        ] {
            assert!(!knows(host), "{host}");
        }
    }
}
