//! Lookups in a recorded cluster and in small ones.

use super::*;
use crate::api::{Objects, Policy};
use crate::manifest;
use net::Family;

/// A cluster as `kubectl get -o yaml` printed it.
fn recorded() -> Catalog {
    let files = [
        include_str!("../../../testkit/data/kube-proxy-1.20-story/services.yaml"),
        include_str!("../../../testkit/data/kube-proxy-1.20-story/endpointslices.yaml"),
        include_str!("../../../testkit/data/kube-proxy-1.20-story/nodes.yaml"),
    ];
    catalog(&files)
}

fn catalog(files: &[&str]) -> Catalog {
    let mut objects = Objects::default();
    for file in files {
        let (read, problems) = manifest::parse("test.yaml", file);
        assert_eq!(problems, []);
        objects.append(read);
    }
    Catalog::new(&objects)
}

fn names<'a>(promises: impl Iterator<Item = &'a Promise>) -> Vec<String> {
    promises.map(|promise| promise.name.to_string()).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

#[test]
fn a_node_port_leads_to_its_service_by_protocol() {
    let catalog = recorded();
    let at = |proto, port| names(catalog.at_node_port(proto, port));
    assert_eq!(at(Proto::TCP, 31080), ["shop/cart:http"]);
    assert_eq!(at(Proto::TCP, 31053), ["shop/dns:dns-tcp"]);
    assert_eq!(at(Proto::UDP, 31053), ["shop/dns:dns"]);
    assert!(at(Proto::TCP, 80).is_empty());
}

#[test]
fn a_service_is_found_at_each_of_its_own_addresses() {
    let catalog = recorded();
    let at = |addr, port| {
        let found = catalog.at_addr(ip(addr), Proto::TCP, port);
        let shown = found.map(|(frontend, promise)| (frontend.kind, promise.name.to_string()));
        shown.collect::<Vec<_>>()
    };
    let cluster = FrontendKind::ClusterIp(ip("10.107.20.43"));
    let external = FrontendKind::ExternalIp(ip("172.20.31.11"));
    let balanced = FrontendKind::LoadBalancer(ip("203.0.113.80"));
    let mail = "shop/mail:https".to_owned();
    let checkout = "shop/checkout:http".to_owned();
    assert_eq!(at("10.107.20.43", 8443), [(cluster, mail.clone())]);
    assert_eq!(at("172.20.31.11", 8443), [(external, mail)]);
    assert_eq!(at("203.0.113.80", 80), [(balanced, checkout)]);
    assert_eq!(at("10.107.20.43", 8444), []);
    assert_eq!(
        names(catalog.with_addr(ip("10.107.20.43"))),
        ["shop/mail:https"]
    );
}

#[test]
fn a_service_without_endpoints_has_no_backends() {
    let catalog = recorded();
    let cart = catalog.promise(&"shop/cart:http".parse().unwrap()).unwrap();
    assert_eq!(cart.backends, []);
}

#[test]
fn ready_backends_are_counted_by_family_and_node() {
    let catalog = recorded();
    let counts = |name: &str, family| {
        let promise = catalog.promise(&name.parse().unwrap()).unwrap();
        let on = |node| promise.ready_on(family, node).count();
        (promise.ready(family).count(), on("node-a"), on("node-b"))
    };
    assert_eq!(counts("shop/basket:http", Family::V4), (3, 2, 1));
    assert_eq!(counts("shop/basket:http", Family::V6), (0, 0, 0));
    assert_eq!(counts("shop/local-away:http", Family::V4), (1, 0, 1));
    assert_eq!(counts("shop/warming:http", Family::V4), (0, 0, 0));
    assert_ne!(counts("shop/web:http", Family::V6).0, 0);
}

#[test]
fn a_promise_keeps_what_was_written() {
    let catalog = recorded();
    let of = |name: &str| catalog.promise(&name.parse().unwrap()).unwrap();
    let local = of("shop/checkout-local:http");
    assert_eq!(local.external_policy, Policy::Local);
    assert_eq!(local.health_port, Some(31099));
    assert_eq!(of("shop/basket:http").affinity, Some(600));
    let ranges = &of("shop/checkout:http").source_ranges;
    assert_eq!(ranges, &["172.20.31.128/25".parse().unwrap()]);
}

#[test]
fn a_health_port_leads_to_its_service_and_is_not_free() {
    let catalog = recorded();
    assert_eq!(
        names(catalog.at_health_port(31099)),
        ["shop/checkout-local:http"]
    );
    assert!(catalog.node_ports(Proto::TCP).contains(&31099));
    let udp: Vec<_> = catalog.node_ports(Proto::UDP).into_iter().collect();
    assert_eq!(udp, [31053, 31054]);
}

#[test]
fn all_ports_of_a_service_are_found_by_its_name() {
    let catalog = recorded();
    let multi = names(catalog.ports_of("shop", "multi"));
    assert_eq!(multi, ["shop/multi:http", "shop/multi:https"]);
    assert_eq!(names(catalog.ports_of("shop", "local")), [""; 0]);
}

#[test]
fn a_backend_leads_to_every_service_before_it() {
    let catalog = recorded();
    let behind = catalog.behind(Proto::TCP, endpoint("10.52.2.21:8080"));
    let behind: Vec<_> = behind.map(ToString::to_string).collect();
    assert!(
        behind.contains(&"shop/basket:http".to_owned()),
        "{behind:?}"
    );
    assert!(
        behind.contains(&"shop/local-away:http".to_owned()),
        "{behind:?}"
    );
    let udp = catalog.behind(Proto::UDP, endpoint("10.52.2.21:8080"));
    assert_eq!(udp.count(), 0);
}

#[test]
fn a_node_is_known_by_its_addresses() {
    let catalog = recorded();
    assert_eq!(catalog.node_at(ip("172.20.31.10")), Some("node-a"));
    assert_eq!(catalog.node_at(ip("fd20:31::10")), Some("node-a"));
    assert_eq!(catalog.node_at(ip("10.52.1.11")), None);
}

const PODS: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, uid: 11111111-2222-3333-4444-555555555555}
spec: {nodeName: node-a}
status: {phase: Running, podIP: 10.1.0.5, podIPs: [{ip: 10.1.0.5}, {ip: "fd00::5"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: shop}
status: {phase: Succeeded, podIP: 10.1.0.5}
---
apiVersion: v1
kind: Pod
metadata:
  name: etcd-node-a
  namespace: kube-system
  uid: aaaaaaaa-2222-3333-4444-555555555555
  annotations: {kubernetes.io/config.hash: 0123456789abcdef0123456789abcdef}
spec: {nodeName: node-a, hostNetwork: true}
status: {phase: Running, podIP: 192.0.2.1}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
  namespace: shop
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- addresses: [10.1.0.6]
  nodeName: node-a
  targetRef: {kind: Pod, name: web-1, uid: bbbbbbbb-2222-3333-4444-555555555555}
- addresses: [192.0.2.1]
  nodeName: node-a
  targetRef: {kind: Pod, name: agent, namespace: ops}
"#;

#[test]
fn a_pod_is_found_by_each_of_its_addresses() {
    let catalog = catalog(&[PODS]);
    let at = |text| {
        catalog
            .pod_at(endpoint(text))
            .map(|pod| pod.name.to_string())
    };
    assert_eq!(at("10.1.0.5:80").as_deref(), Some("shop/web-0"));
    assert_eq!(at("[fd00::5]:80").as_deref(), Some("shop/web-0"));
    assert_eq!(at("10.1.0.6:9").as_deref(), Some("shop/web-1"));
    assert_eq!(at("10.1.0.7:80"), None);
}

#[test]
fn the_address_of_a_node_is_a_pods_only_at_the_port_a_slice_names() {
    let catalog = catalog(&[PODS]);
    let at = |text| {
        catalog
            .pod_at(endpoint(text))
            .map(|pod| pod.name.to_string())
    };
    assert_eq!(at("192.0.2.1:8080").as_deref(), Some("ops/agent"));
    assert_eq!(at("192.0.2.1:2379"), None);
}

#[test]
fn a_pod_tells_its_addresses_and_node() {
    let catalog = catalog(&[PODS]);
    let pod = |name: &str| catalog.pod(&name.parse().unwrap()).unwrap();
    assert_eq!(pod("shop/web-0").addrs, [ip("10.1.0.5"), ip("fd00::5")]);
    assert_eq!(pod("shop/web-1").addrs, [ip("10.1.0.6")]);
    assert_eq!(pod("shop/web-1").node.as_deref(), Some("node-a"));
    assert!(pod("ops/agent").host_network);
    assert!(pod("shop/done").addrs.is_empty());
}

#[test]
fn a_pod_is_found_by_its_identity_as_cgroups_write_it() {
    let catalog = catalog(&[PODS]);
    let by = |uid| catalog.pod_by_uid(uid).map(|pod| pod.name.to_string());
    let systemd = "11111111_2222_3333_4444_555555555555";
    assert_eq!(by(systemd).as_deref(), Some("shop/web-0"));
    let of_static_pod = "0123456789abcdef0123456789abcdef";
    assert_eq!(
        by(of_static_pod).as_deref(),
        Some("kube-system/etcd-node-a")
    );
    let of_slice = "bbbbbbbb-2222-3333-4444-555555555555";
    assert_eq!(by(of_slice).as_deref(), Some("shop/web-1"));
    assert_eq!(by(""), None);
}

#[test]
fn a_backend_has_a_name_even_without_its_service() {
    let catalog = catalog(&[PODS]);
    let mut behind = catalog.behind(Proto::TCP, endpoint("10.1.0.6:8080"));
    assert_eq!(behind.next().unwrap().to_string(), "shop/web:http");
}

#[test]
fn the_later_of_two_objects_of_one_name_counts() {
    let service = |port: u16| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: web}}, \
             spec: {{type: NodePort, ports: [{{port: 80, nodePort: {port}}}]}}}}"
        )
    };
    let catalog = catalog(&[&service(30001), &service(30002)]);
    let ports: Vec<_> = catalog.node_ports(Proto::TCP).into_iter().collect();
    assert_eq!(ports, [30002]);
    assert_eq!(names(catalog.at_node_port(Proto::TCP, 30001)), [""; 0]);
}

#[test]
fn services_at_odds_over_an_address_are_both_told() {
    let service = |name| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, \
             spec: {{externalIPs: [192.0.2.9], ports: [{{port: 80}}]}}}}"
        )
    };
    let catalog = catalog(&[&service("b"), &service("a")]);
    let found = catalog.at_addr(ip("192.0.2.9"), Proto::TCP, 80);
    assert_eq!(
        names(found.map(|(_, promise)| promise)),
        ["default/a", "default/b"]
    );
}

const MOVING: &str = r"
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSliceList
items:
- metadata: {name: old, labels: {kubernetes.io/service-name: web}}
  addressType: IPv4
  ports: [{port: 8080}]
  endpoints: [{addresses: [10.1.0.6]}]
- metadata: {name: new, labels: {kubernetes.io/service-name: web}}
  addressType: IPv4
  ports: [{port: 8080}]
  endpoints: [{addresses: [10.1.0.6], nodeName: node-a}]
";

#[test]
fn an_endpoint_in_two_slices_is_one_backend_that_knows_its_node() {
    let catalog = catalog(&[MOVING]);
    let web = catalog.promise(&"default/web".parse().unwrap()).unwrap();
    let nodes: Vec<_> = web.backends.iter().map(|one| one.node.as_deref()).collect();
    assert_eq!(nodes, [Some("node-a")]);
}
