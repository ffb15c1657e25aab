//! Pods by name, address and identity.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use net::ServiceName;

/// `NAMESPACE/NAME` of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName {
    /// The namespace.
    pub namespace: String,
    /// The pod's own name.
    pub name: String,
}

/// Why a text names no pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePodNameError(String);

/// What we know of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// What it is called.
    pub name: PodName,
    /// Its identity; empty where unknown.
    pub uid: String,
    /// The node it runs on.
    pub node: Option<String>,
    /// Its addresses, the first first; none before it has one and after it is over.
    pub addrs: Vec<IpAddr>,
    /// Whether these are the addresses of its node, and others' too.
    pub host_network: bool,
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for PodName {
    type Err = ParsePodNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The letters are those of a Service's name.
        match text.parse() {
            Ok(ServiceName {
                namespace, name, ..
            }) if !text.contains(':') => Ok(Self { namespace, name }),
            Ok(_) | Err(_) => Err(ParsePodNameError(text.to_owned())),
        }
    }
}

impl fmt::Display for ParsePodNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no NAMESPACE/NAME", self.0)
    }
}

impl std::error::Error for ParsePodNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_pod_has_a_namespace_and_no_port() {
        let name: PodName = "shop/web-0".parse().unwrap();
        assert_eq!(name.to_string(), "shop/web-0");
        for wrong in ["web-0", "shop/web-0:http", "shop/web-0:", "shop/", "a/b/c"] {
            assert!(wrong.parse::<PodName>().is_err(), "{wrong}");
        }
    }
}
