//! `nft -j list ruleset`: written out as the listing that it is the same as, and read as that.
//!
//! JSON has no more than the text, and less of iptables-nft's rules: `xt` without options.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Table;

use super::nft_list::nft_list;
use super::problem::{Input, Problem, Problems};

/// Reads the tables of a listing in JSON. Problems name no line: JSON has one.
pub fn nft_json(input: Input<'_>) -> (Vec<Table>, Vec<Problem>) {
    let mut problems = Problems::of(input);
    let listed = match serde_json::from_slice::<Value>(input.text) {
        Ok(value) => value,
        Err(error) => {
            let what = format!("text is no JSON as `nft -j` prints it, or was cut: {error}");
            problems.add(error.line(), "", what);
            return (Vec::new(), problems.into_vec());
        }
    };
    let Some(items) = listed["nftables"].as_array() else {
        problems.add(
            0,
            "",
            "JSON is none of `nft -j list ruleset`: it has no list `nftables`",
        );
        return (Vec::new(), problems.into_vec());
    };
    let text = listing(items);
    let (tables, mut found) = nft_list(Input {
        name: input.name,
        text: text.as_bytes(),
    });
    for problem in &mut found {
        problem.line = 0;
    }
    (tables, found)
}

/// The parts of a table, each as a block of text.
#[derive(Default)]
struct Parts {
    head: String,
    sets: Vec<String>,
    /// By name: what stands in front of the rules, and the rules.
    chains: Vec<(String, String)>,
    /// Chains by name; of two with one name the first.
    places: HashMap<String, usize>,
}

/// The ruleset as a listing in text.
fn listing(items: &[Value]) -> String {
    let mut tables: Vec<((String, String), Parts)> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (kind, item) in items.iter().filter_map(Value::as_object).flatten() {
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let name = if kind == "table" {
            text("name")
        } else {
            text("table")
        };
        if kind == "metainfo" {
            continue;
        }
        let key = (text("family"), name);
        let place = *places.entry(key.clone()).or_insert(tables.len());
        if place == tables.len() {
            tables.push((key, Parts::default()));
        }
        let parts = &mut tables[place].1;
        match kind.as_str() {
            // nft 1.0.6 writes the family for the flag `dormant`.
            "table" if !item["flags"].is_null() => parts.head.push_str("flags dormant\n"),
            "set" | "map" => parts.sets.push(set(kind, item)),
            "chain" => {
                let _ = parts
                    .places
                    .entry(text("name"))
                    .or_insert(parts.chains.len());
                let head = format!("{}\n{}", handle(item), chain_head(item));
                parts.chains.push((text("name"), head));
            }
            "rule" => {
                if let Some(&place) = parts.places.get(&text("chain")) {
                    let (_, rules) = &mut parts.chains[place];
                    rules.push_str(&rule(item));
                    rules.push('\n');
                }
            }
            _ => {}
        }
    }
    let mut text = String::new();
    for ((family, name), parts) in tables {
        let _ = writeln!(text, "table {family} {name} {{\n{}", parts.head);
        for set in parts.sets {
            text.push_str(&set);
        }
        for (name, rules) in parts.chains {
            let _ = writeln!(text, "chain {name} {{{rules}}}");
        }
        text.push_str("}\n");
    }
    text
}

fn set(kind: &str, item: &Value) -> String {
    let types = |value: &Value| match value {
        Value::Array(list) => {
            let names: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            names.join(" . ")
        }
        value => value.as_str().unwrap_or_default().to_owned(),
    };
    let mut text = format!(
        "{kind} {} {{\ntype {}",
        word(&item["name"]),
        types(&item["type"])
    );
    if kind == "map" {
        let _ = write!(text, " : {}", types(&item["map"]));
    }
    text.push_str(";\n");
    let flags = list(&item["flags"], ",");
    if !flags.is_empty() {
        let _ = writeln!(text, "flags {flags};");
    }
    if let Some(elements) = item["elem"].as_array() {
        let _ = writeln!(text, "elements = {{ {} }}", elements_text(elements));
    }
    text + "}\n"
}

fn chain_head(item: &Value) -> String {
    let Some(hook) = item["hook"].as_str() else {
        return String::new();
    };
    let kind = item["type"].as_str().unwrap_or("filter");
    let devices = match &item["dev"] {
        Value::Null => String::new(),
        devices => format!(" devices = {{ {} }}", list(devices, ", ")),
    };
    let policy = item["policy"].as_str().unwrap_or("accept");
    let prio = &item["prio"];
    format!("type {kind} hook {hook}{devices} priority {prio}; policy {policy};\n")
}

fn rule(item: &Value) -> String {
    let exprs = || item["expr"].as_array().into_iter().flatten();
    let only_tests = exprs().all(|of| !of["match"].is_null());
    let mut words: Vec<String> = exprs().map(part).collect();
    // Older versions leave out what JSON has no form for: a jump into a chain in braces.
    if only_tests {
        words.push("[what nft left out of its JSON]".to_owned());
    }
    if let Some(comment) = item["comment"].as_str() {
        words.push(format!("comment {}", quoted(comment)));
    }
    words.join(" ") + &handle(item)
}

/// A statement, or the text that nft puts there for one that JSON has no form for, such as a
/// jump into a chain in braces.
fn part(value: &Value) -> String {
    match value {
        Value::Object(of) => statement(of),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => format!("[{other}]"),
    }
}

/// What `nft -a` writes behind a line.
fn handle(item: &Value) -> String {
    match item["handle"].as_u64() {
        Some(handle) => format!(" # handle {handle}"),
        None => String::new(),
    }
}

/// One statement; what has no form here is a word that no listing has.
fn statement(of: &Map<String, Value>) -> String {
    let Some((kind, value)) = of.iter().next() else {
        return String::new();
    };
    match kind.as_str() {
        "match" => matching(value),
        "vmap" => format!("{} vmap {}", expr(&value["key"]), expr(&value["data"])),
        "accept" | "drop" | "return" | "continue" | "notrack" => kind.clone(),
        "jump" | "goto" => format!("{kind} {}", word(&value["target"])),
        "mangle" => format!("{} set {}", expr(&value["key"]), expr(&value["value"])),
        "counter" => match value {
            Value::String(name) => format!("counter name {}", quoted(name)),
            Value::Object(of) if of.contains_key("map") => "counter name map".to_owned(),
            _ => "counter".to_owned(),
        },
        "log" => match value["prefix"].as_str() {
            Some(prefix) => format!("log prefix {}", quoted(prefix)),
            None => "log".to_owned(),
        },
        "limit" if value.is_string() => format!("limit name {}", quoted(&word(value))),
        "limit" => limit(value),
        "quota" if value.is_object() => {
            format!("quota {} {}", value["val"], word(&value["val_unit"]))
        }
        "ct count" => format!("ct count {}", value["val"]),
        "reject" => match (value["type"].as_str(), value["expr"].as_str()) {
            (Some(kind), Some(code)) => format!("reject with {kind} {code}"),
            (Some(kind), None) => format!("reject with {kind}"),
            _ => "reject".to_owned(),
        },
        "snat" | "dnat" => nat(kind, value),
        "masquerade" | "redirect" => {
            let port = match &value["port"] {
                Value::Null => String::new(),
                port => format!(" to :{}", expr(port)),
            };
            format!("{kind}{port} {}", list(&value["flags"], ","))
        }
        "queue" => format!(
            "queue num {} {}",
            expr(&value["num"]),
            list(&value["flags"], " ")
        ),
        "set" => {
            let statements = value["stmt"].as_array().into_iter().flatten();
            let statements = statements.filter_map(Value::as_object).map(statement);
            let statements: Vec<String> = statements.collect();
            let op = value["op"].as_str().unwrap_or("add");
            let (set, elem) = (word(&value["set"]), element(&value["elem"]));
            format!("{op} {set} {{ {elem} {} }}", statements.join(" "))
        }
        other if value.is_string() => format!("{other} name {}", quoted(&word(value))),
        other => format!("[{other}]"),
    }
}

fn matching(value: &Value) -> String {
    let (left, right) = (expr(&value["left"]), &value["right"]);
    let op = match value["op"].as_str() {
        Some("in") | None => "",
        Some(op) => op,
    };
    match right {
        // What `fib` finds, or not.
        Value::Bool(found) => format!("{left} {}", if *found { "exists" } else { "missing" }),
        // The bits of a list.
        Value::Array(_) => format!("{left} {op} {}", list(right, ", ")),
        right => format!("{left} {op} {}", expr(right)),
    }
}

fn limit(value: &Value) -> String {
    let over = if value["inv"].as_bool() == Some(true) {
        "over "
    } else {
        ""
    };
    let rate = expr(&value["rate"]);
    let per = value["per"].as_str().unwrap_or("second");
    match value["rate_unit"].as_str() {
        Some(unit) if unit != "packets" => format!("limit rate {over}{rate} {unit}/{per}"),
        _ => {
            let burst = value["burst"].as_u64().unwrap_or(5);
            format!("limit rate {over}{rate}/{per} burst {burst} packets")
        }
    }
}

fn nat(kind: &str, value: &Value) -> String {
    let family = value["family"].as_str();
    let family = family.map_or(String::new(), |family| format!(" {family}"));
    let port = match &value["port"] {
        Value::Null => String::new(),
        port => format!(":{}", expr(port)),
    };
    let addr = match &value["addr"] {
        Value::Null => String::new(),
        Value::String(addr) if addr.contains(':') && !port.is_empty() => format!("[{addr}]"),
        addr => expr(addr),
    };
    format!(
        "{kind}{family} to {addr}{port} {}",
        list(&value["flags"], ",")
    )
}

/// An expression: a constant, a field, a set, an operation.
fn expr(value: &Value) -> String {
    let of = match value {
        Value::Object(of) => of,
        Value::Array(_) => return list(value, ", "),
        value => return word(value),
    };
    let Some((kind, value)) = of.iter().next() else {
        return String::new();
    };
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    match kind.as_str() {
        "payload" if value["base"].is_string() => {
            format!("@{},{},{}", text("base"), value["offset"], value["len"])
        }
        "payload" => format!("{} {}", text("protocol"), text("field")),
        "meta" => format!("meta {}", text("key")),
        "ct" => format!("ct {} {}", text("dir"), text("key")),
        "fib" => format!("fib {} {}", list(&value["flags"], " . "), text("result")),
        "numgen" => {
            let offset = value["offset"].as_u64().unwrap_or(0);
            format!(
                "numgen {} mod {} offset {offset}",
                text("mode"),
                value["mod"]
            )
        }
        "socket" => format!("socket {}", text("key")),
        "jhash" | "symhash" => format!("{kind} mod {}", value["mod"]),
        "tcp option" => format!("tcp option {} {}", text("name"), text("field")),
        "exthdr" => format!("exthdr {} {}", text("name"), text("field")),
        "concat" => list(value, " . "),
        "prefix" => format!("{}/{}", word(&value["addr"]), value["len"]),
        "range" => list(value, "-"),
        "set" => match value {
            Value::Array(elements) => format!("{{ {} }}", elements_text(elements)),
            one => format!("{{ {} }}", expr(one)),
        },
        "map" => format!("{} map {}", expr(&value["key"]), expr(&value["data"])),
        "&" | "|" | "^" => list(value, &format!(" {kind} ")),
        "elem" => element(&Value::Object(of.clone())),
        "accept" | "drop" | "return" | "continue" | "jump" | "goto" => statement(of),
        other => format!("[{other}]"),
    }
}

fn elements_text(elements: &[Value]) -> String {
    let one = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([key, data]) => format!("{} : {}", element(key), expr(data)),
        _ => element(value),
    };
    elements.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// An element's key, with its statements and its comment.
fn element(value: &Value) -> String {
    let of = &value["elem"];
    if of.is_null() {
        return expr(value);
    }
    let mut text = expr(&of["val"]);
    if !of["limit"].is_null() {
        let _ = write!(text, " {}", limit(&of["limit"]));
    }
    if let Some(comment) = of["comment"].as_str() {
        let _ = write!(text, " comment {}", quoted(comment));
    }
    text
}

/// Some expressions in a row; one alone is a row of one.
fn list(value: &Value, joint: &str) -> String {
    match value {
        Value::Array(list) => list.iter().map(expr).collect::<Vec<_>>().join(joint),
        Value::Null => String::new(),
        value => expr(value),
    }
}

/// A word, in quotes where it would be several.
fn word(value: &Value) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@_.:/*-+".contains(c);
    match value {
        Value::String(text) if text.chars().all(is_plain) && !text.is_empty() => text.clone(),
        Value::String(text) => quoted(text),
        value => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace(['"', '\n'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleBody;
    use crate::nft::Expr;

    fn rule_of(expr: &str) -> String {
        let value: Value = serde_json::from_str(&format!("{{\"expr\": {expr}}}")).unwrap();
        rule(&value)
    }

    #[test]
    fn statements_are_written_as_a_listing_has_them() {
        let port = r#"[{"match": {"op": "==", "left": {"payload": {"protocol": "tcp",
            "field": "dport"}}, "right": {"set": [80, {"range": [90, 99]}]}}}, {"accept": null}]"#;
        assert_eq!(rule_of(port), "tcp dport == { 80, 90-99 } accept");
        let state = r#"[{"match": {"op": "in", "left": {"ct": {"key": "state"}},
            "right": ["established", "related"]}}, {"drop": null}]"#;
        assert_eq!(rule_of(state), "ct  state  established, related drop");
        let nat = r#"[{"dnat": {"family": "ip6", "addr": "fd00::1", "port": 80}}]"#;
        assert_eq!(rule_of(nat).trim_end(), "dnat ip6 to [fd00::1]:80");
    }

    #[test]
    fn a_rule_of_tests_alone_has_lost_what_it_does() {
        let tests = r#"[{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 1}}]"#;
        let left_out = "[what nft left out of its JSON]";
        assert_eq!(rule_of(tests), format!("meta mark == 1 {left_out}"));
        assert_eq!(rule_of("[]"), left_out);
    }

    #[test]
    fn what_json_has_no_form_for_is_a_gap_in_its_place() {
        // As nft 1.0.6 prints `counter jump { accept }` and `quota name "q" drop`.
        let text = r#"{"nftables": [{"table": {"family": "inet", "name": "t", "handle": 1}},
            {"chain": {"family": "inet", "table": "t", "name": "a", "handle": 3}},
            {"rule": {"family": "inet", "table": "t", "chain": "a", "handle": 5, "expr":
                [{"counter": {"packets": 0, "bytes": 0}}, "jump {\n\t\t\taccept\n\t\t}"]}},
            {"rule": {"family": "inet", "table": "t", "chain": "a", "handle": 7, "expr":
                [{"quota": "q"}, {"drop": null}]}}]}"#;
        let (tables, problems) = nft_json(Input {
            name: "x",
            text: text.as_bytes(),
        });
        assert_eq!(problems.len(), 2);
        let chain = &tables[0].chains[0];
        assert_eq!(chain.handle, Some(3));
        let rules = chain.rules.iter().map(|rule| (rule.handle, &rule.body));
        let unread = |text: &str| Expr::Unread(text.into());
        let expected = [
            vec![Expr::Pass("counter".into()), unread("jump { accept }")],
            vec![unread("quota name \"q\" drop")],
        ]
        .map(RuleBody::Nft);
        assert_eq!(
            rules.collect::<Vec<_>>(),
            [(Some(5), &expected[0]), (Some(7), &expected[1])]
        );
    }

    #[test]
    fn json_of_something_else_is_told() {
        let read = |text: &str| {
            nft_json(Input {
                name: "x",
                text: text.as_bytes(),
            })
        };
        assert_eq!(read("{\"nftables\": 1}").1.len(), 1);
        assert_eq!(read("{\"nftables\": [").1.len(), 1);
        assert_eq!(read("{\"nftables\": []}"), (vec![], vec![]));
    }
}
