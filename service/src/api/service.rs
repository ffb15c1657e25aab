//! `v1` Services.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::meta::Meta;
use super::text::{self, Word};
use net::{Family, Prefix, Proto};

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Service {
    /// Name and labels.
    pub metadata: Meta,
    /// What is promised.
    #[serde(default)]
    pub spec: ServiceSpec,
    /// What a load balancer made of it.
    #[serde(default)]
    pub status: ServiceStatus,
}

/// What a Service promises.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// Who should reach it.
    #[serde(rename = "type")]
    pub kind: ServiceType,
    /// The first of `clusterIPs`; the only one in objects of API servers before 1.20.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: ClusterIp,
    /// One for each of `ipFamilies`, in that order.
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Vec<ClusterIp>,
    /// Families it is served in.
    #[serde(deserialize_with = "text::each")]
    pub ip_families: Vec<Family>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Addresses that someone else routes to the nodes.
    #[serde(rename = "externalIPs", deserialize_with = "text::each")]
    pub external_ips: Vec<IpAddr>,
    /// Which endpoints take traffic from outside the cluster.
    pub external_traffic_policy: Policy,
    /// Which endpoints take traffic from inside the cluster.
    pub internal_traffic_policy: Policy,
    /// Who may use the load balancer's addresses; everyone where empty.
    #[serde(deserialize_with = "text::each")]
    pub load_balancer_source_ranges: Vec<Prefix>,
    /// Whether a client stays with its endpoint.
    pub session_affinity: Affinity,
    /// How long it stays.
    pub session_affinity_config: AffinityConfig,
    /// Port on which each node tells a load balancer whether it has endpoints; 0 for none.
    pub health_check_node_port: u16,
}

impl ServiceSpec {
    /// Addresses within the cluster; none for a headless Service, one that is only a name for
    /// another, and one the API server has not seen.
    pub fn cluster_addrs(&self) -> Vec<IpAddr> {
        let written = match self.cluster_ips.as_slice() {
            [] => std::slice::from_ref(&self.cluster_ip),
            several => several,
        };
        let addrs = written.iter().filter_map(|ip| match ip {
            ClusterIp::Addr(addr) => Some(*addr),
            ClusterIp::Unset | ClusterIp::Headless => None,
        });
        match self.kind {
            ServiceType::ExternalName => Vec::new(),
            ServiceType::ClusterIp | ServiceType::NodePort | ServiceType::LoadBalancer => {
                addrs.collect()
            }
        }
    }
}

/// Who should reach a Service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum ServiceType {
    /// Clients within the cluster.
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// Also whoever reaches a node.
    NodePort,
    /// Also whoever reaches a load balancer in front of the nodes.
    LoadBalancer,
    /// Nobody: it is a name for another name.
    ExternalName,
}

/// Which endpoints may take a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Policy {
    /// All.
    #[default]
    Cluster,
    /// Those on the node where the connection arrives.
    Local,
}

/// Whether a client stays with its endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Affinity {
    /// Each connection chooses anew.
    #[default]
    None,
    /// A client address stays for a while.
    #[serde(rename = "ClientIP")]
    ClientIp,
}

/// Details of [`Affinity`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AffinityConfig {
    /// Details of [`Affinity::ClientIp`].
    #[serde(rename = "clientIP")]
    pub client_ip: ClientIpConfig,
}

/// Details of [`Affinity::ClientIp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientIpConfig {
    /// Seconds after the last connection.
    pub timeout_seconds: u32,
}

impl Default for ClientIpConfig {
    /// Three hours, as the API server fills in.
    fn default() -> Self {
        Self {
            timeout_seconds: 10_800,
        }
    }
}

/// What is written as `clusterIP`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClusterIp {
    /// Nothing: the API server has not seen the object.
    #[default]
    Unset,
    /// `None`: clients ask for the endpoints themselves.
    Headless,
    /// The address.
    Addr(IpAddr),
}

impl Word for ClusterIp {
    const WHAT: &'static str = "an IP address or `None`";

    fn read(word: &str) -> Option<Self> {
        match word {
            "" => Some(Self::Unset),
            "None" => Some(Self::Headless),
            _ => text::ip(word).map(Self::Addr),
        }
    }
}

impl<'de> Deserialize<'de> for ClusterIp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text::one(from)
    }
}

/// One port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Its name, unique within the Service; may be empty for a lone port.
    #[serde(default)]
    pub name: String,
    /// Its protocol.
    #[serde(default = "tcp", deserialize_with = "text::one")]
    pub protocol: Proto,
    /// The port at the Service's own addresses.
    pub port: u16,
    /// The port of the pods; the same where absent. Proxies go by the EndpointSlice instead.
    #[serde(default)]
    pub target_port: Option<TargetPort>,
    /// The port at every node; 0 for none.
    #[serde(default)]
    pub node_port: u16,
}

pub(super) fn tcp() -> Proto {
    Proto::TCP
}

/// The port of the pods behind a port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name a container gives it, so it may differ from pod to pod.
    Name(String),
}

impl<'de> Deserialize<'de> for TargetPort {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TargetPortVisitor)
    }
}

struct TargetPortVisitor;

impl Visitor<'_> for TargetPortVisitor {
    type Value = TargetPort;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port number or the name of a container's port")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<TargetPort, E> {
        let wrong = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
        u16::try_from(number).map(TargetPort::Number).map_err(wrong)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<TargetPort, E> {
        let wrong = |_| E::invalid_value(Unexpected::Signed(number), &self);
        u16::try_from(number).map(TargetPort::Number).map_err(wrong)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<TargetPort, E> {
        Ok(TargetPort::Name(name.to_owned()))
    }
}

/// What became of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// What a load balancer made of it.
    pub load_balancer: LoadBalancer,
}

/// What a load balancer made of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    /// Where it can be reached.
    pub ingress: Vec<Ingress>,
}

/// A place where a load balancer can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ingress {
    /// Its address; absent where it has only a host name.
    #[serde(deserialize_with = "text::maybe")]
    pub ip: Option<IpAddr>,
    /// How connections to the address reach a node.
    pub ip_mode: IpMode,
}

/// How connections to a load balancer's address reach a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum IpMode {
    /// Still with that address as destination, so the node has to serve it.
    #[default]
    #[serde(rename = "VIP")]
    Vip,
    /// With a node's or pod's address as destination: the node must leave the address alone.
    Proxy,
}
