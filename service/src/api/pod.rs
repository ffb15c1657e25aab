//! `v1` Pods: where they are and which ports they name.

use std::net::IpAddr;

use serde::Deserialize;

use super::meta::Meta;
use super::service::tcp;
use super::text;
use net::Proto;

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pod {
    /// Name and labels.
    pub metadata: Meta,
    /// What is wished.
    #[serde(default)]
    pub spec: PodSpec,
    /// What is.
    #[serde(default)]
    pub status: PodStatus,
}

/// What is wished of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The node it was given to.
    pub node_name: Option<String>,
    /// Whether it shares the node's addresses and ports.
    pub host_network: bool,
    /// Its containers.
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Ports it names; it may listen on others.
    pub ports: Vec<ContainerPort>,
}

/// A port a container names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// Its name, which a Service's `targetPort` may use.
    #[serde(default)]
    pub name: String,
    /// The port of the pod.
    pub container_port: u16,
    /// Its protocol.
    #[serde(default = "tcp", deserialize_with = "text::one")]
    pub protocol: Proto,
    /// The port of the node that leads to it; 0 for none.
    #[serde(default)]
    pub host_port: u16,
    /// The node's address that leads to it; all where absent.
    #[serde(default, rename = "hostIP", deserialize_with = "text::maybe")]
    pub host_ip: Option<IpAddr>,
}

/// What is known of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// How far it is.
    pub phase: PodPhase,
    /// The first of `podIPs`.
    #[serde(rename = "podIP", deserialize_with = "text::maybe")]
    pub pod_ip: Option<IpAddr>,
    /// One address of each family.
    #[serde(rename = "podIPs")]
    pub pod_ips: Vec<PodIp>,
}

/// One address of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct PodIp {
    /// The address.
    #[serde(deserialize_with = "text::one")]
    pub ip: IpAddr,
}

/// How far a pod is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum PodPhase {
    /// Not told.
    #[default]
    Unknown,
    /// Waiting for a node, an image or a network.
    Pending,
    /// At work.
    Running,
    /// Over; its address may be another pod's by now.
    Succeeded,
    /// Over, and it went wrong; its address may be another pod's by now.
    Failed,
}

impl Pod {
    /// Its addresses, the first first. None for a pod that is over: it no longer has them.
    pub fn addrs(&self) -> Vec<IpAddr> {
        match self.status.phase {
            PodPhase::Succeeded | PodPhase::Failed => Vec::new(),
            PodPhase::Unknown | PodPhase::Pending | PodPhase::Running => {
                let mut addrs: Vec<_> = self.status.pod_ips.iter().map(|pod| pod.ip).collect();
                if let Some(first) = self.status.pod_ip.filter(|ip| !addrs.contains(ip)) {
                    addrs.insert(0, first);
                }
                addrs
            }
        }
    }
}
