//! What the document holds.

use serde_json::{Value, json};

use crate::schema::breaks;
use crate::world::world;

fn document() -> Value {
    serde_json::to_value(story::json::document(&world().story())).unwrap()
}

#[test]
fn the_contracts_example_fits_the_schema() {
    let example = json!({"format": 1,
     "question": {"protocol": "tcp", "to": "192.168.77.1:30584"},
     "answers": [{
       "from": "outside", "source": "192.168.77.2", "in": "vcli", "region": "192.168.77.0/24",
       "outcomes": [{
         "share": 1.0, "verdict": "refused", "client": "ECONNREFUSED",
         "to": null, "masquerade": false,
         "server": {"name": "python3", "pid": 16140, "socket": "0.0.0.0:30584", "pod": "default/web-0", "reached": false},
         "service": "default/nginx:http",
         "steps": [{"stage": "INPUT", "table": "filter", "chain": "KUBE-EXTERNAL-SERVICES", "rule": 1,
                    "text": "-A KUBE-EXTERNAL-SERVICES …", "did": "REJECT icmp-port-unreachable"}],
         "gaps": []}],
       "findings": [{"code": "nodeport-shadows-listener", "fix": "kubectl …"}]}]});
    assert_eq!(
        breaks(&story::json::schema(), &example, ""),
        Vec::<String>::new()
    );
}

#[test]
fn the_document_says_what_the_contracts_example_says() {
    let document = document();
    assert_eq!(document["format"], 1);
    assert_eq!(
        document["question"],
        json!({"protocol": "tcp", "to": "192.168.77.1:30584"})
    );
    let answer = &document["answers"][0];
    assert_eq!(answer["from"], "outside");
    assert_eq!(answer["source"], "192.168.77.2");
    assert_eq!(answer["in"], "vcli");
    let outcome = &answer["outcomes"][0];
    assert_eq!(outcome["verdict"], "refused");
    assert_eq!(outcome["client"], "ECONNREFUSED");
    assert_eq!(outcome["service"], "default/nginx:http");
    assert_eq!(outcome["server"]["pod"], "default/web-0");
    assert_eq!(outcome["server"]["reached"], false);
    assert_eq!(answer["findings"][0]["code"], "nodeport-shadows-listener");
    assert!(
        answer["findings"][0]["fix"]
            .as_str()
            .unwrap()
            .starts_with("kubectl -n default")
    );
}

#[test]
fn rules_are_counted_from_one() {
    let document = document();
    let steps = document["answers"][0]["outcomes"][0]["steps"]
        .as_array()
        .unwrap();
    let last = steps.last().unwrap();
    assert_eq!(last["stage"], "INPUT");
    assert_eq!(last["table"], "filter");
    assert_eq!(last["chain"], "KUBE-EXTERNAL-SERVICES");
    assert_eq!(last["rule"], 1);
    assert_eq!(last["did"], "REJECT icmp-port-unreachable");
}
