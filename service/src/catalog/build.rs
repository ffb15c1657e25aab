//! A [`Catalog`] from objects.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Catalog;
use crate::api::{self, AddressType, EndpointSlice, Objects, SliceEndpoint, TargetRef};
use crate::pod::{Pod, PodName};
use crate::promise::{Backend, Promise};
use net::{Endpoint, Proto, ServiceName};

impl Catalog {
    /// Files what `objects` say. Of objects with the same name the last counts.
    pub fn new(objects: &Objects) -> Self {
        let mut catalog = Self::default();
        for node in last_of(&objects.nodes, |node| &node.metadata) {
            catalog.add_node(node);
        }
        for pod in last_of(&objects.pods, |pod| &pod.metadata) {
            catalog.add_pod(pod);
        }
        for service in last_of(&objects.services, |service| &service.metadata) {
            for port in &service.spec.ports {
                catalog.add_promise(Promise::of(service, port));
            }
        }
        let mut backends = Backends::new();
        for slice in last_of(&objects.slices, |slice| &slice.metadata) {
            catalog.add_slice(slice, &mut backends);
        }
        catalog.add_backends(backends);
        catalog
    }

    fn add_node(&mut self, node: &api::Node) {
        let name = &node.metadata.name;
        let texts = node.status.addresses.iter().map(|address| &address.address);
        // What is no address here is a host name.
        for addr in texts.filter_map(|text| text.parse::<IpAddr>().ok()) {
            self.nodes_by_addr.insert(addr, name.clone());
        }
    }

    fn add_pod(&mut self, pod: &api::Pod) {
        let meta = &pod.metadata;
        let name = PodName {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
        };
        // The kubelet knows a static pod, and names its cgroup, by a hash of its file; the
        // object in the API has a uid of its own (kubelet/types, `kubernetes.io/config.hash`).
        let hashes = ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"];
        let hashes = hashes.iter().filter_map(|key| meta.annotations.get(*key));
        for uid in hashes.chain([&meta.uid]) {
            self.add_uid(uid, &name);
        }
        self.file_pod(Pod {
            name,
            uid: meta.uid.clone(),
            node: pod.spec.node_name.clone(),
            addrs: pod.addrs(),
            host_network: pod.spec.host_network,
        });
    }

    fn add_uid(&mut self, uid: &str, name: &PodName) {
        if !uid.is_empty() {
            self.pods_by_uid.insert(plain_uid(uid), name.clone());
        }
    }

    fn file_pod(&mut self, pod: Pod) {
        for addr in pod.addrs.iter().filter(|_| !pod.host_network) {
            let names = self.pods_by_addr.entry(*addr).or_default();
            names.insert(pod.name.clone());
        }
        self.pods.insert(pod.name.clone(), pod);
    }

    fn add_promise(&mut self, promise: Promise) {
        for frontend in promise.frontends() {
            let names = self.frontends.entry(frontend).or_default();
            names.insert(promise.name.clone());
        }
        self.promises.insert(promise.name.clone(), promise);
    }

    fn add_slice(&mut self, slice: &EndpointSlice, backends: &mut Backends) {
        let Some(service) = slice.service() else {
            return;
        };
        if slice.address_type == AddressType::Fqdn {
            return;
        }
        for endpoint in &slice.endpoints {
            let Some(addr) = endpoint.addr() else {
                continue;
            };
            let pod = self.target(slice, endpoint, addr);
            // Kubernetes: ports of a slice go by name and protocol, never by number.
            for port in &slice.ports {
                let Some(number) = port.port.filter(|&number| number != 0) else {
                    continue;
                };
                let name = ServiceName {
                    namespace: slice.metadata.namespace.clone(),
                    name: service.to_owned(),
                    port: port.name.clone(),
                };
                let at = Endpoint { addr, port: number };
                let backend = backend(at, endpoint, pod.clone());
                offer(backends.entry((name, port.protocol)).or_default(), backend);
            }
        }
    }

    /// The pod that a slice says is at `addr`. A pod without an object of its own is filed
    /// with what the slice tells.
    fn target(
        &mut self,
        slice: &EndpointSlice,
        endpoint: &SliceEndpoint,
        addr: IpAddr,
    ) -> Option<PodName> {
        let target = endpoint.target_ref.as_ref().filter(|of| of.is_pod())?;
        let namespace = target.namespace.as_ref();
        let name = PodName {
            namespace: namespace.unwrap_or(&slice.metadata.namespace).clone(),
            name: target.name.clone(),
        };
        self.add_uid(&target.uid, &name);
        let known = self.pods.get(&name);
        if known.is_some_and(|pod| pod.addrs.contains(&addr)) {
            return Some(name);
        }
        let mut pod = known.cloned().unwrap_or_else(|| Pod {
            name: name.clone(),
            uid: target.uid.clone(),
            node: endpoint.node().map(str::to_owned),
            addrs: Vec::new(),
            host_network: self.nodes_by_addr.contains_key(&addr),
        });
        pod.addrs.push(addr);
        self.file_pod(pod);
        Some(name)
    }

    fn add_backends(&mut self, backends: Backends) {
        for ((name, proto), by_endpoint) in backends {
            for (endpoint, backend) in &by_endpoint {
                let names = self.behind.entry((proto, *endpoint)).or_default();
                names.insert(name.clone());
                if let Some(pod) = &backend.pod {
                    self.targets.insert(*endpoint, pod.clone());
                }
            }
            let promise = self.promises.get_mut(&name);
            if let Some(promise) = promise.filter(|promise| promise.proto == proto) {
                promise.backends = by_endpoint.into_values().collect();
            }
        }
    }
}

/// Backends of each port of a Service.
type Backends = BTreeMap<(ServiceName, Proto), BTreeMap<Endpoint, Backend>>;

impl TargetRef {
    fn is_pod(&self) -> bool {
        self.kind == "Pod" && !self.name.is_empty()
    }
}

fn backend(at: Endpoint, endpoint: &SliceEndpoint, pod: Option<PodName>) -> Backend {
    Backend {
        endpoint: at,
        node: endpoint.node().map(str::to_owned),
        pod,
        is_ready: endpoint.conditions.is_ready(),
        is_serving: endpoint.conditions.is_serving(),
        is_terminating: endpoint.conditions.is_terminating(),
    }
}

/// Adds a backend. While an endpoint moves between slices it is in both: the copy that knows
/// its node wins, else the first.
fn offer(backends: &mut BTreeMap<Endpoint, Backend>, backend: Backend) {
    let present = backends.get(&backend.endpoint);
    let better = present.is_none_or(|one| one.node.is_none() && backend.node.is_some());
    if better {
        backends.insert(backend.endpoint, backend);
    }
}

/// The last object of each name, in the order of names.
fn last_of<T>(objects: &[T], meta: fn(&T) -> &api::Meta) -> impl Iterator<Item = &T> {
    let named = objects.iter().map(|object| {
        let meta = meta(object);
        ((&meta.namespace, &meta.name), object)
    });
    named.collect::<BTreeMap<_, _>>().into_values()
}

/// An identity as the API writes it. Systemd has `_` for `-` in the names of slices.
pub(super) fn plain_uid(uid: &str) -> String {
    uid.replace('_', "-").to_ascii_lowercase()
}
