//! Services, backends and pods by what a packet shows of them.

mod build;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::pod::{Pod, PodName};
use crate::promise::{Frontend, FrontendKind, Promise};
use net::{Endpoint, Proto, ServiceName};

/// Everything we know of a cluster, to look up.
///
/// Lookups answer in the order of names. More than one answer to a question about a frontend
/// means that Services are at odds; which of them is served is not decided here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    promises: BTreeMap<ServiceName, Promise>,
    frontends: BTreeMap<Frontend, BTreeSet<ServiceName>>,
    behind: BTreeMap<(Proto, Endpoint), BTreeSet<ServiceName>>,
    pods: BTreeMap<PodName, Pod>,
    pods_by_uid: BTreeMap<String, PodName>,
    /// Pods that have the address to themselves.
    pods_by_addr: BTreeMap<IpAddr, BTreeSet<PodName>>,
    /// Pods that slices name as what is at an address and port.
    targets: BTreeMap<Endpoint, PodName>,
    nodes_by_addr: BTreeMap<IpAddr, String>,
}

impl Catalog {
    /// Every port of every Service.
    pub fn promises(&self) -> impl Iterator<Item = &Promise> {
        self.promises.values()
    }

    /// The port of a Service of that name.
    pub fn promise(&self, name: &ServiceName) -> Option<&Promise> {
        self.promises.get(name)
    }

    /// Every port of the Service `namespace/name`.
    pub fn ports_of(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Promise> {
        let lowest = ServiceName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            port: String::new(),
        };
        let of = lowest.clone();
        let from = self.promises.range(lowest..);
        from.take_while(move |(key, _)| key.namespace == of.namespace && key.name == of.name)
            .map(|(_, promise)| promise)
    }

    /// Services that clients find at a node's `port`.
    pub fn at_node_port(&self, proto: Proto, port: u16) -> impl Iterator<Item = &Promise> {
        let kind = FrontendKind::NodePort;
        self.at(Frontend { kind, proto, port })
    }

    /// Services that clients find at an address of their own: within the cluster, external or
    /// a load balancer's. Node ports are [`Self::at_node_port`].
    pub fn at_addr(
        &self,
        addr: IpAddr,
        proto: Proto,
        port: u16,
    ) -> impl Iterator<Item = (Frontend, &Promise)> {
        let kinds = [
            FrontendKind::ClusterIp(addr),
            FrontendKind::ExternalIp(addr),
            FrontendKind::LoadBalancer(addr),
        ];
        let frontends = kinds
            .into_iter()
            .map(move |kind| Frontend { kind, proto, port });
        frontends.flat_map(|frontend| self.at(frontend).map(move |promise| (frontend, promise)))
    }

    fn at(&self, frontend: Frontend) -> impl Iterator<Item = &Promise> {
        let names = self.frontends.get(&frontend).into_iter().flatten();
        names.filter_map(|name| self.promises.get(name))
    }

    /// Services with any frontend at `addr`, whatever the port: what else is served there.
    pub fn with_addr(&self, addr: IpAddr) -> impl Iterator<Item = &Promise> {
        self.promises.values().filter(move |promise| {
            let lists = [
                &promise.cluster_ips,
                &promise.external_ips,
                &promise.load_balancer_ips,
            ];
            lists.iter().any(|list| list.contains(&addr))
        })
    }

    /// Services that tell load balancers at a node's TCP `port` whether they have a backend;
    /// one answer for each of their ports.
    pub fn at_health_port(&self, port: u16) -> impl Iterator<Item = &Promise> {
        let promises = self.promises.values();
        promises.filter(move |promise| promise.health_port == Some(port))
    }

    /// Services that have a backend there, ready or not. Such a name may lack its
    /// [`Promise`]: a slice names the Service it is of.
    pub fn behind(&self, proto: Proto, backend: Endpoint) -> impl Iterator<Item = &ServiceName> {
        self.behind.get(&(proto, backend)).into_iter().flatten()
    }

    /// Ports of nodes that Services have, health-check ports included: none of them is free.
    pub fn node_ports(&self, proto: Proto) -> BTreeSet<u16> {
        let promises = self.promises.values();
        let of = |promise: &Promise| {
            let served = promise.node_port.filter(|_| promise.proto == proto);
            let health = promise.health_port.filter(|_| proto == Proto::TCP);
            [served, health]
        };
        promises.flat_map(of).flatten().collect()
    }

    /// The pod of that name.
    pub fn pod(&self, name: &PodName) -> Option<&Pod> {
        self.pods.get(name)
    }

    /// The pod of that identity, written as the API has it or as a cgroup's name has it.
    ///
    /// A static pod is found by either of its two: the API's, and the kubelet's own.
    pub fn pod_by_uid(&self, uid: &str) -> Option<&Pod> {
        self.pods.get(self.pods_by_uid.get(&build::plain_uid(uid))?)
    }

    /// The pod at an address and port: the one a slice names, else the one that has the
    /// address to itself. No pod if several claim the address.
    pub fn pod_at(&self, backend: Endpoint) -> Option<&Pod> {
        let named = self.targets.get(&backend);
        let name = named.or_else(|| {
            let mut here = self.pods_by_addr.get(&backend.addr)?.iter();
            here.next().filter(|_| here.next().is_none())
        });
        self.pods.get(name?)
    }

    /// The name of the node that has the address.
    pub fn node_at(&self, addr: IpAddr) -> Option<&str> {
        self.nodes_by_addr.get(&addr).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
