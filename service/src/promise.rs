//! What one port of a Service promises: where clients connect, and who answers.

use std::net::IpAddr;

use crate::api::{Affinity, IpMode, Policy, Service, ServicePort, ServiceType};
use crate::pod::PodName;
use net::{Endpoint, Family, Prefix, Proto, ServiceName};

/// One port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What it is called.
    pub name: ServiceName,
    /// Who should reach it.
    pub kind: ServiceType,
    /// Its protocol.
    pub proto: Proto,
    /// The port at the Service's own addresses.
    pub port: u16,
    /// The port at every node.
    pub node_port: Option<u16>,
    /// Addresses within the cluster, one of each family at most; none for a headless Service.
    pub cluster_ips: Vec<IpAddr>,
    /// Addresses that someone else routes to the nodes.
    pub external_ips: Vec<IpAddr>,
    /// Addresses of load balancers that arrive at a node unchanged.
    pub load_balancer_ips: Vec<IpAddr>,
    /// Which backends take connections from outside.
    pub external_policy: Policy,
    /// Which backends take connections from inside.
    pub internal_policy: Policy,
    /// Seconds a client stays with its backend; `None` if each connection chooses anew.
    pub affinity: Option<u32>,
    /// Who may use the load balancers' addresses; everyone where empty.
    pub source_ranges: Vec<Prefix>,
    /// Port on which each node tells load balancers whether it has a backend.
    pub health_port: Option<u16>,
    /// Who answers, ordered by address and port, each once.
    pub backends: Vec<Backend>,
}

/// An address and port where clients find a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frontend {
    /// At whose address, and which.
    pub kind: FrontendKind,
    /// The protocol.
    pub proto: Proto,
    /// The port.
    pub port: u16,
}

/// At whose address a frontend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrontendKind {
    /// The Service's own address, within the cluster.
    ClusterIp(IpAddr),
    /// An address someone else routes to the nodes.
    ExternalIp(IpAddr),
    /// A load balancer's address.
    LoadBalancer(IpAddr),
    /// Any node's address.
    NodePort,
}

/// Someone who answers for a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Where.
    pub endpoint: Endpoint,
    /// The node it runs on, where known.
    pub node: Option<String>,
    /// The pod, where known.
    pub pod: Option<PodName>,
    /// New connections may go there.
    pub is_ready: bool,
    /// It answers, be it on its way out or not.
    pub is_serving: bool,
    /// It is on its way out.
    pub is_terminating: bool,
}

impl Promise {
    /// What `service` promises for its `port`, as yet without backends.
    pub(crate) fn of(service: &Service, port: &ServicePort) -> Self {
        let spec = &service.spec;
        let ingress = service.status.load_balancer.ingress.iter();
        let arriving = ingress.filter(|ingress| ingress.ip_mode == IpMode::Vip);
        let client_ip = spec.session_affinity_config.client_ip;
        Self {
            name: ServiceName {
                namespace: service.metadata.namespace.clone(),
                name: service.metadata.name.clone(),
                port: port.name.clone(),
            },
            kind: spec.kind,
            proto: port.protocol,
            port: port.port,
            node_port: Some(port.node_port).filter(|&port| port != 0),
            cluster_ips: spec.cluster_addrs(),
            external_ips: spec.external_ips.clone(),
            load_balancer_ips: arriving.filter_map(|ingress| ingress.ip).collect(),
            external_policy: spec.external_traffic_policy,
            internal_policy: spec.internal_traffic_policy,
            affinity: match spec.session_affinity {
                Affinity::None => None,
                Affinity::ClientIp => Some(client_ip.timeout_seconds),
            },
            source_ranges: spec.load_balancer_source_ranges.clone(),
            health_port: Some(spec.health_check_node_port).filter(|&port| port != 0),
            backends: Vec::new(),
        }
    }

    /// Where clients find it: cluster addresses first, the node port last.
    pub fn frontends(&self) -> impl Iterator<Item = Frontend> {
        let cluster = self.cluster_ips.iter().copied();
        let external = self.external_ips.iter().copied();
        let balanced = self.load_balancer_ips.iter().copied();
        let own = (cluster.map(FrontendKind::ClusterIp))
            .chain(external.map(FrontendKind::ExternalIp))
            .chain(balanced.map(FrontendKind::LoadBalancer))
            .map(|kind| (kind, self.port));
        let node = self.node_port.map(|port| (FrontendKind::NodePort, port));
        own.chain(node).map(|(kind, port)| Frontend {
            kind,
            proto: self.proto,
            port,
        })
    }

    /// Backends that take new connections of a family.
    ///
    /// Connections never change family, so the backends of a frontend are those of its own.
    pub fn ready(&self, family: Family) -> impl Iterator<Item = &Backend> {
        let backends = self.backends.iter();
        backends.filter(move |one| one.is_ready && Family::of(one.endpoint.addr) == family)
    }

    /// Backends on the node of that name that take new connections of a family.
    pub fn ready_on<'a>(
        &'a self,
        family: Family,
        node: &'a str,
    ) -> impl Iterator<Item = &'a Backend> {
        let backends = self.ready(family);
        backends.filter(move |one| one.node.as_deref() == Some(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(service: &str) -> Promise {
        let service: Service = serde_json::from_str(service).unwrap();
        Promise::of(&service, &service.spec.ports[0])
    }

    #[test]
    fn addresses_of_a_proxying_load_balancer_are_no_frontends() {
        let promise = promise(
            r#"{"metadata": {"name": "web"},
                "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1",
                         "externalIPs": ["198.51.100.1"],
                         "ports": [{"port": 80, "nodePort": 30080}]},
                "status": {"loadBalancer": {"ingress": [
                    {"ip": "203.0.113.1", "ipMode": "Proxy"},
                    {"ip": "203.0.113.2", "ipMode": "VIP"},
                    {"hostname": "lb.example.org"}]}}}"#,
        );
        let frontends: Vec<_> = promise.frontends().map(|f| (f.kind, f.port)).collect();
        let ip = |text: &str| text.parse().unwrap();
        assert_eq!(
            frontends,
            [
                (FrontendKind::ClusterIp(ip("10.0.0.1")), 80),
                (FrontendKind::ExternalIp(ip("198.51.100.1")), 80),
                (FrontendKind::LoadBalancer(ip("203.0.113.2")), 80),
                (FrontendKind::NodePort, 30080),
            ]
        );
    }

    #[test]
    fn affinity_lasts_three_hours_unless_told_otherwise() {
        let with = |spec: &str| {
            let text = format!(r#"{{"metadata": {{"name": "web"}}, "spec": {{{spec}}}}}"#);
            promise(&text).affinity
        };
        assert_eq!(with(r#""ports": [{"port": 80}]"#), None);
        let client = r#""ports": [{"port": 80}], "sessionAffinity": "ClientIP""#;
        assert_eq!(with(client), Some(10_800));
    }

    #[test]
    fn a_headless_service_has_no_frontend() {
        let promise = promise(
            r#"{"metadata": {"name": "web"},
                "spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}}"#,
        );
        assert_eq!(promise.frontends().count(), 0);
    }
}
