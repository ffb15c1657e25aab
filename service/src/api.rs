//! Kubernetes objects as people write them, cut down to the fields we use.
//!
//! Unknown fields are ignored and absent ones get the defaults of the API server.
//! What the API server itself never stores (a port out of range, a word that is no protocol)
//! does not parse; what the fields mean together is left to the rest of the crate.

mod meta;
mod pod;
mod service;
mod slice;
mod text;

pub use meta::{Meta, Namespace, Node, NodeAddress, NodeSpec, NodeStatus};
pub use pod::{Container, ContainerPort, Pod, PodIp, PodPhase, PodSpec, PodStatus};
pub use service::{
    Affinity, AffinityConfig, ClientIpConfig, ClusterIp, Ingress, IpMode, LoadBalancer, Policy,
    Service, ServicePort, ServiceSpec, ServiceStatus, ServiceType, TargetPort,
};
pub use slice::{AddressType, Conditions, EndpointSlice, SliceEndpoint, SlicePort, TargetRef};

/// Everything we read of a cluster, in the order it was read.
///
/// The same object may be there more than once; the last one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// Services.
    pub services: Vec<Service>,
    /// EndpointSlices of either version.
    pub slices: Vec<EndpointSlice>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Namespaces.
    pub namespaces: Vec<Namespace>,
}

impl Objects {
    /// Adds what another file held.
    pub fn append(&mut self, mut later: Self) {
        self.services.append(&mut later.services);
        self.slices.append(&mut later.slices);
        self.nodes.append(&mut later.nodes);
        self.pods.append(&mut later.pods);
        self.namespaces.append(&mut later.namespaces);
    }
}
