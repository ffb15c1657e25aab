//! Files as people write, cut and damage them.

use proptest::prelude::*;

use super::*;
use crate::api::{Policy, ServiceType, TargetPort};

const SERVICES: &str = include_str!("../../../testkit/data/kube-proxy-1.20-story/services.yaml");
const SLICES: &str =
    include_str!("../../../testkit/data/kube-proxy-1.20-story/endpointslices.yaml");
const NODES: &str = include_str!("../../../testkit/data/kube-proxy-1.20-story/nodes.yaml");

fn problems(text: &str) -> Vec<String> {
    let (_, problems) = parse("web.yaml", text);
    problems.iter().map(ToString::to_string).collect()
}

fn services(text: &str) -> Vec<String> {
    let (objects, _) = parse("web.yaml", text);
    let names = objects.services.into_iter().map(|s| s.metadata.name);
    names.collect()
}

#[test]
fn what_kubectl_prints_is_read_whole() {
    let counts = [SERVICES, SLICES, NODES].map(|file| {
        let (objects, problems) = parse("recorded.yaml", file);
        assert_eq!(problems, []);
        (
            objects.services.len(),
            objects.slices.len(),
            objects.nodes.len(),
        )
    });
    assert_eq!(counts, [(15, 0, 0), (0, 13, 0), (0, 0, 2)]);
}

#[test]
fn a_wrong_field_is_told_by_line_and_field_and_the_others_go_on() {
    let text = "\
apiVersion: v1
kind: Service
metadata: {name: first}
---
# The second one is wrong.
apiVersion: v1
kind: Service
metadata:
  name: second
  namespace: shop
spec:
  ports:
  - port: 80
    nodePort: many
---
apiVersion: v1
kind: Service
metadata: {name: third}
";
    assert_eq!(services(text), ["first", "third"]);
    let expected = "web.yaml:14: Service shop/second: spec.ports[0].nodePort: \
                    the text `many` is not a number from 0 to 65535";
    assert_eq!(problems(text), [expected]);
}

#[test]
fn a_wrong_item_of_a_list_costs_only_itself() {
    let text = "\
apiVersion: v1
items:
- {apiVersion: v1, kind: Service, metadata: {name: first}}
- apiVersion: v1
  kind: Service
  metadata: {name: second}
  spec:
    type: NodePorts
- {apiVersion: v1, kind: Service, metadata: {name: third}}
kind: List
";
    assert_eq!(services(text), ["first", "third"]);
    let expected = "web.yaml:8: Service second: spec.type: `NodePorts` is not one of \
                    `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`";
    assert_eq!(problems(text), [expected]);
}

#[test]
fn a_syntax_error_costs_only_its_document() {
    let text = "\
apiVersion: v1
kind: Service
metadata: {name: first}
---
apiVersion: v1
kind: Service
metadata: {name: [second
---
apiVersion: v1
kind: Service
metadata: {name: third}
";
    assert_eq!(services(text), ["first", "third"]);
    let (_, problems) = parse("web.yaml", text);
    let lines: Vec<_> = problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [7]);
}

#[test]
fn what_the_api_server_would_refuse_is_told() {
    let service = |spec: &str| {
        let head = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ";
        problems(&format!("{head}{spec}\n")).join("; ")
    };
    let cases = [
        (
            "ports: [{port: 80}, {port: 81}]",
            "spec.ports[1].name: two ports are named ``",
        ),
        ("ports: [{port: 0}]", "spec.ports[0].port: 0 is not a port"),
        ("ports: [{name: http}]", "spec.ports[0]: `port` is missing"),
        (
            "ports: [{port: 80, protocol: tcp}]",
            "spec.ports[0].protocol: `tcp` is not `TCP`, `UDP` or `SCTP`",
        ),
        (
            "ports: [{port: 80, targetPort: 70000}]",
            "spec.ports[0].targetPort: 70000 is not a port number or the name of a \
             container's port",
        ),
        (
            "externalIPs: [10.0.0.1, 10.0.0]",
            "spec.externalIPs[1]: `10.0.0` is not an IP address",
        ),
        (
            "clusterIP: [1]",
            "spec.clusterIP: a list is not an IP address or `None`",
        ),
        ("ports: {}", "spec.ports: a map is not a sequence"),
    ];
    for (spec, why) in cases {
        assert_eq!(service(spec), format!("web.yaml:5: Service web: {why}"));
    }
}

#[test]
fn an_address_of_the_other_family_is_told() {
    let text = "\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop}
addressType: IPv4
endpoints:
- addresses: [10.0.0.1]
- addresses:
  - fd00::1
";
    let expected = "web.yaml:8: EndpointSlice shop/web-1: endpoints[1].addresses[0]: \
                    `fd00::1` is not an IPv4 address";
    assert_eq!(problems(text), [expected]);
}

#[test]
fn kinds_we_do_not_use_are_left_out_without_a_word() {
    let text = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: [not, ours]}
---
replicas: 3
";
    assert_eq!(parse("web.yaml", text), (Objects::default(), Vec::new()));
}

#[test]
fn absent_fields_get_the_defaults_of_the_api_server() {
    let text = "\
apiVersion: v1
kind: Service
metadata: {name: web, labels: null}
spec:
  ports: [{port: 80}]
  externalIPs:
";
    let (objects, problems) = parse("web.yaml", text);
    assert_eq!(problems, []);
    let service = &objects.services[0];
    let port = &service.spec.ports[0];
    assert_eq!(service.metadata.namespace, "default");
    assert_eq!(service.spec.kind, ServiceType::ClusterIp);
    assert_eq!(service.spec.external_traffic_policy, Policy::Cluster);
    assert_eq!((port.protocol, port.node_port), (net::Proto::TCP, 0));
}

#[test]
fn a_target_port_is_a_number_or_a_name() {
    let text = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - {name: a, port: 80, targetPort: 8080}
  - {name: b, port: 81, targetPort: http}
  - {name: c, port: 82}
";
    let (objects, _) = parse("web.yaml", text);
    let ports = objects.services[0].spec.ports.iter();
    let targets: Vec<_> = ports.map(|port| port.target_port.clone()).collect();
    let named = TargetPort::Name("http".to_owned());
    assert_eq!(targets, [Some(TargetPort::Number(8080)), Some(named), None]);
}

#[test]
fn both_versions_of_a_slice_tell_the_node() {
    let slice = |version: &str, endpoint: &str| {
        let text = format!(
            "{{apiVersion: discovery.k8s.io/{version}, kind: EndpointSlice, \
             metadata: {{name: x}}, addressType: IPv4, endpoints: [{endpoint}]}}"
        );
        let (objects, problems) = parse("web.yaml", &text);
        assert_eq!(problems, []);
        objects.slices[0].endpoints[0].node().map(str::to_owned)
    };
    let label = "{addresses: [10.0.0.1], topology: {kubernetes.io/hostname: node-a}}";
    let field = "{addresses: [10.0.0.1], nodeName: node-b}";
    assert_eq!(slice("v1beta1", label).as_deref(), Some("node-a"));
    assert_eq!(slice("v1", field).as_deref(), Some("node-b"));
    assert_eq!(slice("v1", "{addresses: [10.0.0.1]}"), None);
}

#[test]
fn unknown_conditions_mean_ready() {
    let text = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x}, \
                addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}, \
                {addresses: [10.0.0.2], conditions: {ready: no, serving: yes}}]}";
    let (objects, _) = parse("web.yaml", text);
    let conditions = objects.slices[0].endpoints.iter().map(|e| e.conditions);
    let read: Vec<_> = conditions
        .map(|c| (c.is_ready(), c.is_serving(), c.is_terminating()))
        .collect();
    assert_eq!(read, [(true, true, false), (false, true, false)]);
}

#[test]
fn words_that_look_like_numbers_or_truth_stay_words() {
    let text = "{apiVersion: v1, kind: Service, metadata: {name: 007, labels: \
                {a: no, b: 1, c: true, d: 1_000}}}";
    let (objects, problems) = parse("web.yaml", text);
    assert_eq!(problems, []);
    let meta = &objects.services[0].metadata;
    let labels: Vec<_> = meta.labels.values().map(String::as_str).collect();
    assert_eq!(
        (meta.name.as_str(), labels),
        ("007", vec!["no", "1", "true", "1_000"])
    );
}

#[test]
fn json_is_read_like_yaml() {
    let text = "{\n\t\"kind\": \"ServiceList\",\n\t\"apiVersion\": \"v1\",\n\t\"items\": [\n\
                \t\t{\"metadata\": {\"name\": \"a\\/\\ud83d\\ude00\"}},\n\
                \t\t{\"metadata\": {\"name\": 5, \"uid\": {}}}\n\t]\n}\n\
                {\"kind\": \"Service\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"b\"}}\n";
    assert_eq!(services(text), ["a/😀", "b"]);
    let expected = "web.yaml:6: Service: metadata.uid: a map is not a string";
    assert_eq!(problems(text), [expected]);
}

#[test]
fn comments_may_be_long_and_anywhere() {
    let comment = "# a line\n".repeat(2_000);
    let lines = [
        "apiVersion: v1",
        "kind: Service",
        "metadata:",
        "  name: web",
        "spec:",
        "  ports:",
    ];
    let text = lines.join(&format!("\n{comment}"));
    let text = format!("{text}\n{comment}  -\n{comment}    port: 80\n{comment}");
    assert_eq!(problems(&text), [""; 0]);
    assert_eq!(services(&text), ["web"]);
}

#[test]
fn long_json_values_are_read() {
    let long = "x".repeat(100_000);
    let text = format!(
        "{{\"kind\": \"Service\", \"apiVersion\": \"v1\", \"metadata\": {{\"name\": \"web\", \
         \"annotations\": {{\"long\": \"{long}\"}}}}}}"
    );
    assert_eq!(services(&text), ["web"]);
    assert_eq!(problems(&text), [""; 0]);
}

#[test]
fn a_list_that_is_cut_off_is_told_and_its_items_are_read() {
    let end = SERVICES.find("    name: cart").unwrap();
    let (objects, problems) = parse("services.yaml", &SERVICES[..end]);
    let names: Vec<_> = objects.services.iter().map(|s| &s.metadata.name).collect();
    assert_eq!(names, ["kubernetes", "agent", "basket"]);
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].ends_with("no `kind`; is the file whole?"),
        "{told:?}"
    );
    assert!(told[1].ends_with("`name` is missing"), "{told:?}");
}

#[test]
fn a_cluster_larger_than_a_parsers_default_limits_is_read() {
    let item = "- {metadata: {name: web}, spec: {ports: [{port: 80, nodePort: 30000}], \
                externalIPs: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4]}}\n";
    let text = format!(
        "apiVersion: v1\nkind: ServiceList\nitems:\n{}",
        item.repeat(20_000)
    );
    assert_eq!(services(&text).len(), 20_000);
}

#[test]
fn a_text_that_grows_without_end_is_refused() {
    let lines = (1..12).map(|level| {
        let aliases = format!("*a{}, ", level - 1).repeat(9);
        format!("a{level}: &a{level} [{aliases}]\n")
    });
    let text = format!("a0: &a0 [x]\n{}", lines.collect::<String>());
    let expected = "web.yaml:6: aliases stand for more than 100000 values";
    assert_eq!(problems(&text), [expected]);
}

#[test]
fn deep_nesting_is_refused() {
    for opening in ["[", "{a: ", "- "] {
        assert_eq!(problems(&opening.repeat(100_000)).len(), 1, "{opening}");
    }
}

#[test]
fn binary_text_is_told_once() {
    let text = String::from_utf8_lossy(b"\x7fELF\x02\x01\x01\0\0\xff\xfe\0PK\x03\x04");
    assert_eq!(problems(&text).len(), 1);
}

#[test]
fn every_cut_of_a_real_file_is_told() {
    for (file, step) in [(SERVICES, 97), (SLICES, 61), (NODES, 1)] {
        let last = file.rfind("kind: List").unwrap();
        for end in (20..last).step_by(step) {
            let (_, problems) = parse("cut.yaml", &file[..end]);
            assert!(!problems.is_empty(), "cut at {end}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse("any.yaml", &text);
    }

    #[test]
    fn no_text_of_yamls_own_letters_panics(text in "[-a0:{}\\[\\],&*!|>'\"%@#?~<. \n\t\r\u{0}\u{85}]{0,80}") {
        let _ = parse("any.yaml", &text);
    }

    #[test]
    fn no_damage_to_a_real_file_panics(
        start in 0..SLICES.len() - 600,
        at in 0..600_usize,
        junk in "[-a0:{}\\[\\],&*!|>'\"%@#?~ \n\t]{0,6}",
    ) {
        let mut text = SLICES[start..start + 600].to_owned();
        text.insert_str(at, &junk);
        let _ = parse("any.yaml", &text);
    }
}
