//! EndpointSlices of `discovery.k8s.io`, `v1` and `v1beta1` in one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::meta::Meta;
use super::service::tcp;
use super::text;
use net::{Family, Proto};

/// Some of the endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// Name and labels; a label says which Service it is of.
    pub metadata: Meta,
    /// What the addresses are.
    pub address_type: AddressType,
    /// The endpoints; each serves every port.
    #[serde(default)]
    pub endpoints: Vec<SliceEndpoint>,
    /// The ports; none for a Service without ports.
    #[serde(default)]
    pub ports: Vec<SlicePort>,
}

impl EndpointSlice {
    /// The name of the Service in the slice's namespace; a slice without one belongs to none.
    pub fn service(&self) -> Option<&str> {
        let label = self.metadata.labels.get("kubernetes.io/service-name");
        label.map(String::as_str).filter(|name| !name.is_empty())
    }
}

/// What the addresses of a slice are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum AddressType {
    /// IPv4 addresses.
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// IP addresses of either family: slices before 1.17 (`v1alpha1`).
    IP,
    /// Domain names; no proxy serves them.
    #[serde(rename = "FQDN")]
    Fqdn,
}

impl AddressType {
    /// Whether `text` may be an address of such a slice.
    pub fn has(self, text: &str) -> bool {
        let family = text::ip(text).map(Family::of);
        match self {
            Self::IPv4 => family == Some(Family::V4),
            Self::IPv6 => family == Some(Family::V6),
            Self::IP => family.is_some(),
            Self::Fqdn => true,
        }
    }
}

/// One endpoint of a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceEndpoint {
    /// Its addresses, as written. Proxies use the first: the others are the same pod's.
    pub addresses: Vec<String>,
    /// Whether it takes connections.
    pub conditions: Conditions,
    /// The node it runs on.
    pub node_name: Option<String>,
    /// What it is, as a rule a pod.
    pub target_ref: Option<TargetRef>,
    /// Labels of its node, in `v1beta1` only.
    pub topology: BTreeMap<String, String>,
}

impl SliceEndpoint {
    /// The address proxies use.
    pub fn addr(&self) -> Option<IpAddr> {
        self.addresses.first().and_then(|text| text::ip(text))
    }

    /// The node it runs on, where the slice tells.
    pub fn node(&self) -> Option<&str> {
        let label = || self.topology.get("kubernetes.io/hostname");
        self.node_name.as_ref().or_else(label).map(String::as_str)
    }
}

/// Whether an endpoint takes connections, as written; ask the methods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// New connections may go there.
    pub ready: Option<bool>,
    /// It answers, be it on its way out or not.
    pub serving: Option<bool>,
    /// It is on its way out.
    pub terminating: Option<bool>,
}

impl Conditions {
    /// Whether new connections may go there; unknown counts as yes.
    pub fn is_ready(self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it answers; unknown counts as yes.
    pub fn is_serving(self) -> bool {
        self.serving.unwrap_or(true)
    }

    /// Whether it is on its way out; unknown counts as no.
    pub fn is_terminating(self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

/// The object an endpoint stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// Its kind, as a rule `Pod`.
    pub kind: String,
    /// Its namespace; that of the slice where absent.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
}

/// One port of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SlicePort {
    /// The name of the Service's port it stands for.
    #[serde(default)]
    pub name: String,
    /// Its protocol.
    #[serde(default = "tcp", deserialize_with = "text::one")]
    pub protocol: Proto,
    /// The port at the endpoints; without one it means all ports, which proxies do not serve.
    #[serde(default)]
    pub port: Option<u16>,
}
