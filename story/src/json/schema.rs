//! The JSON Schema of the published document.

use serde_json::{Value, json};

/// The schema, in the 2020-12 dialect. It allows more fields than it names: new ones come.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What happens to a connection, as `berth why --json` answers",
        "type": "object",
        "required": ["format", "question", "answers"],
        "properties": {
            "format": {"type": "integer", "const": 1,
                "description": "version of this form; fields are added without a new one"},
            "question": question(),
            "answers": {"type": "array", "items": answer(),
                "description": "one for each set of sources that end alike"},
            "probe": {
                "type": "object",
                "description": "one real connection from the host, where one was made",
                "required": ["saw", "agrees"],
                "properties": {
                    "saw": {"type": "string"},
                    "agrees": {"type": ["boolean", "null"],
                        "description": "whether that was foretold; null where nothing certain was"}
                }
            },
            "trace": super::traced::schema(&step())
        }
    })
}

/// The schema of a scan, with the same answers.
pub fn scan_schema() -> Value {
    let fate = |of: &str| {
        json!({"type": ["string", "null"], "enum": ["arrives", "blocked", "unknown", "lost", null],
            "description": of})
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What becomes of the packets for each listener, as `berth scan --json` answers",
        "type": "object",
        "required": ["format", "listeners", "gaps"],
        "properties": {
            "format": {"type": "integer", "const": 1,
                "description": "version of this form; fields are added without a new one"},
            "listeners": {"type": "array", "description": "one for each port of each process, by port",
                "items": {
                    "type": "object",
                    "required": ["protocol", "port", "sockets", "fate", "from_outside", "from_pods",
                        "from_this_host", "targets"],
                    "properties": {
                        "protocol": {"type": "string", "description": "tcp, udp or sctp"},
                        "port": {"type": "integer"},
                        "sockets": {"type": "array", "items": socket(),
                            "description": "several where they share the port (SO_REUSEPORT)"},
                        "fate": fate("the worst that becomes of a packet for it; null where none of its addresses is there"),
                        "from_outside": fate("the same from outside; null where nobody can send from there"),
                        "from_pods": fate("the same from pods of this node"),
                        "from_this_host": fate("the same from this host"),
                        "old_connections": {"type": "integer",
                            "description": "connections opened before the rules that go on working where no new one gets"},
                        "targets": {"type": "array", "items": target(),
                            "description": "one for the addresses that fare alike"}
                    }
                }},
            "at_link_local": {"type": "integer",
                "description": "listeners that take packets to link-local addresses of IPv6, which were not asked about"},
            "ports": {"type": "array", "items": sweep(),
                "description": "what becomes of every port, with --ports: one for the addresses that fare alike"},
            "gaps": {"type": "array", "items": {"type": "string"},
                "description": "what of the host could not be read"}
        }
    })
}

fn sweep() -> Value {
    let ranges = json!({"type": "array", "items": {"type": "array", "items": {"type": "integer"}},
        "description": "ranges of ports, first and last"});
    json!({
        "type": "object",
        "required": ["addresses", "stretches"],
        "properties": {
            "addresses": {"type": "array", "items": {"type": "string"}},
            "stretches": {"type": "array",
                "description": "ports that end alike: each port from 1 to 65535 is in one of them",
                "items": {
                    "type": "object",
                    "required": ["ports", "question", "answers"],
                    "properties": {
                        "ports": ranges,
                        "question": question(),
                        "answers": {"type": "array", "items": answer(),
                            "description": "about the first address and the lowest port, without steps; an end at that port is, for each of the ports, at the port itself"}
                    }
                }}
        }
    })
}

/// The schema of a map of ports.
pub fn ports_schema() -> Value {
    let range = |of: &str| {
        json!({"type": "object", "required": ["first", "last"], "description": of,
            "properties": {"first": {"type": "integer"}, "last": {"type": "integer"}}})
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Who holds which port, as the port map of `berth page` answers",
        "type": "object",
        "required": ["format", "node_ports", "ephemeral", "room", "ports", "gaps"],
        "properties": {
            "format": {"type": "integer", "const": 1,
                "description": "version of this form; fields are added without a new one"},
            "node_ports": range("the range that NodePorts are given from, both ends included"),
            "ephemeral": range("the range that the kernel gives this host's own clients ports from"),
            "room": {"type": "array", "description": "what of the range of NodePorts is free, by protocol",
                "items": {
                    "type": "object",
                    "required": ["protocol", "taken", "free", "first_free"],
                    "properties": {
                        "protocol": {"type": "string"},
                        "taken": {"type": "integer"},
                        "free": {"type": "integer", "description": "ports that no socket has and no rule names"},
                        "first_free": {"type": ["integer", "null"]}
                    }
                }},
            "ports": {"type": "array", "items": held_port(), "description": "the ports that somebody holds, by number"},
            "gaps": {"type": "array", "items": {"type": "string"},
                "description": "what of the host could not be read"}
        }
    })
}

fn held_port() -> Value {
    json!({
        "type": "object",
        "required": ["protocol", "port", "held_by", "fate", "sockets", "services", "leads_to",
            "ephemeral", "ask", "findings"],
        "properties": {
            "protocol": {"type": "string", "description": "tcp, udp or sctp"},
            "port": {"type": "integer"},
            "held_by": {"type": "string", "enum": ["process", "service", "rule", "both"],
                "description": "rule: it leads clients elsewhere, in no Service's name; both: a process, and a Service or such a rule"},
            "fate": {"type": ["string", "null"], "enum": ["arrives", "blocked", "unknown", "lost", null],
                "description": "the worst that becomes of a packet for a process; null where none listens"},
            "sockets": {"type": "array", "items": socket()},
            "services": {"type": "array", "items": {"type": "string"}, "description": "NAMESPACE/NAME:PORT"},
            "leads_to": {"type": "array", "description": "where rules that name no Service lead clients",
                "items": {
                    "type": "object",
                    "required": ["to", "pod"],
                    "properties": {
                        "to": {"type": "string", "description": "address and port"},
                        "pod": {"type": ["string", "null"], "description": "NAMESPACE/NAME"}
                    }
                }},
            "ephemeral": {"type": "boolean", "description": "whether the kernel may give the port to a client of this host"},
            "ask": {"type": "string", "description": "what to ask about for the whole story"},
            "findings": {"type": "array",
                "items": {
                    "type": "object",
                    "required": ["code", "severity", "title"],
                    "properties": {
                        "code": {"type": "string", "description": "see berth explain CODE"},
                        "severity": {"type": "string", "enum": ["error", "warning", "note"]},
                        "title": {"type": "string"}
                    }
                }}
        }
    })
}

/// The schema of a comparison, with the same outcomes.
pub fn changes_schema() -> Value {
    let outcomes =
        |of: &str| json!({"type": ["array", "null"], "items": outcome(), "description": of});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What ends otherwise in two states of a host, as `berth diff --json` answers",
        "type": "object",
        "required": ["format", "changes"],
        "properties": {
            "format": {"type": "integer", "const": 1,
                "description": "version of this form; fields are added without a new one"},
            "changes": {"type": "array", "description": "one for each destination and each set of sources",
                "items": {
                    "type": "object",
                    "required": ["protocol", "to", "from", "in", "region", "before", "after"],
                    "properties": {
                        "protocol": {"type": "string", "description": "tcp, udp or sctp"},
                        "to": {"type": "string", "description": "ADDRESS:PORT or [ADDRESS]:PORT"},
                        "from": {"type": "string", "enum": ["outside", "pod", "local"]},
                        "in": {"type": ["string", "null"], "description": "the interface; null for local ones"},
                        "region": {"type": "string", "description": "the sources"},
                        "before": outcomes("every possible end before; null where no such source was there"),
                        "after": outcomes("every possible end after")
                    }
                }},
            "unasked": {"type": "integer",
                "description": "networks elsewhere that rules ask for and that were not asked about: there are too many"}
        }
    })
}

fn target() -> Value {
    json!({
        "type": "object",
        "required": ["addresses", "question", "answers"],
        "properties": {
            "addresses": {"type": "array", "items": {"type": "string"}},
            "question": question(),
            "answers": {"type": "array", "items": answer(),
                "description": "about the first address; connections that arrive have no steps"}
        }
    })
}

fn socket() -> Value {
    json!({
        "type": "object",
        "required": ["socket", "name", "pid", "pod"],
        "properties": {
            "socket": {"type": "string", "description": "where it listens"},
            "name": {"type": ["string", "null"], "description": "the process's name; null where it could not be read"},
            "pid": {"type": ["integer", "null"]},
            "pod": {"type": ["string", "null"], "description": "NAMESPACE/NAME"},
            "pod_uid": {"type": ["string", "null"]},
            "unit": {"type": ["string", "null"], "description": "systemd unit"}
        }
    })
}

fn question() -> Value {
    json!({
        "type": "object",
        "required": ["protocol", "to"],
        "properties": {
            "protocol": {"type": "string", "description": "tcp, udp, sctp, or another protocol's name or number"},
            "to": {"type": "string", "description": "ADDRESS:PORT or [ADDRESS]:PORT"},
            "from": {"type": "string", "description": "outside, pod, local or an address, where one was asked about"},
            "in": {"type": "string", "description": "the interface asked about"},
            "source_port": {"type": "integer", "description": "the source port asked about"}
        }
    })
}

fn answer() -> Value {
    json!({
        "type": "object",
        "required": ["from", "source", "in", "region", "outcomes", "findings"],
        "properties": {
            "from": {"type": "string", "enum": ["outside", "pod", "local"]},
            "source": {"type": ["string", "null"], "description": "the lowest address of the region"},
            "in": {"type": ["string", "null"], "description": "the interface packets come in on; null for local ones"},
            "region": {"type": "string",
                "description": "all sources that end this way: prefixes, addresses and FIRST-LAST ranges, separated by a comma and a blank"},
            "outcomes": {"type": "array", "items": outcome(), "description": "every possible end"},
            "findings": {"type": "array", "items": finding(), "description": "named mistakes"},
            "assumed": {"type": "array", "items": {"type": "string"},
                "description": "what was taken for granted and mattered"}
        }
    })
}

fn outcome() -> Value {
    json!({
        "type": "object",
        "required": ["share", "verdict", "client", "to", "masquerade", "server", "service", "steps", "gaps"],
        "properties": {
            "share": {"type": ["number", "null"], "description": "share of connections; null where the chance is not known"},
            "when": {"type": ["string", "null"], "description": "on what it depends"},
            "verdict": {"type": "string",
                "enum": ["delivered", "forwarded", "refused", "rejected", "dropped", "unknown"]},
            "fate": {"type": "string", "enum": ["arrives", "blocked", "unknown", "lost"],
                "description": "what that is to the listener; of a scan only"},
            "client": {"type": ["string", "null"],
                "description": "connected, whatever-answers, CONNECTED_SILENT, TIMEOUT, or the name of an error; null where not known"},
            "to": {"type": ["string", "null"], "description": "address and port after translation"},
            "oif": {"type": ["string", "null"], "description": "the interface it leaves by"},
            "seen_source": {"type": ["string", "null"],
                "description": "the source the server sees, where it is not the client's own"},
            "masquerade": {"type": "boolean", "description": "whether the source was translated"},
            "server": server(),
            "service": {"type": ["string", "null"], "description": "NAMESPACE/NAME:PORT"},
            "because": {"type": "string", "description": "why it ended so, in a sentence"},
            "steps": {"type": "array", "items": step(), "description": "what happened, in packet order"},
            "request_steps": {"type": "integer", "description": "how many of the steps belong to the first packet"},
            "gaps": {"type": "array", "items": {"type": "string"},
                "description": "what was not known and decided"}
        }
    })
}

fn server() -> Value {
    json!({
        "type": ["object", "null"],
        "description": "the socket it reached, or would have reached at the address and port asked for",
        "required": ["name", "pid", "socket", "pod", "reached"],
        "properties": {
            "name": {"type": ["string", "null"], "description": "the process's name; null where it could not be read"},
            "pid": {"type": ["integer", "null"]},
            "socket": {"type": "string", "description": "where it listens"},
            "pod": {"type": ["string", "null"], "description": "NAMESPACE/NAME"},
            "pod_uid": {"type": ["string", "null"]},
            "unit": {"type": ["string", "null"], "description": "systemd unit"},
            "reached": {"type": "boolean"}
        }
    })
}

fn step() -> Value {
    json!({
        "type": "object",
        "required": ["stage", "table", "chain", "rule", "text", "did"],
        "properties": {
            "stage": {"type": "string", "enum": [
                "start", "INGRESS", "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING",
                "EGRESS", "routing", "socket", "leave"
            ]},
            "table": {"type": ["string", "null"]},
            "family": {"type": ["string", "null"], "description": "the table's family, in nft's word"},
            "chain": {"type": ["string", "null"]},
            "rule": {"type": ["integer", "null"],
                "description": "its number in the chain, from 1; null for the chain's policy"},
            "text": {"type": ["string", "null"], "description": "the rule in its own language"},
            "did": {"type": "string"}
        }
    })
}

fn finding() -> Value {
    json!({
        "type": "object",
        "required": ["code", "fix"],
        "properties": {
            "code": {"type": "string", "description": "see berth explain CODE"},
            "severity": {"type": "string", "enum": ["error", "warning", "note"]},
            "title": {"type": "string"},
            "why": {"type": "array", "items": {"type": "string"}},
            "fix": {"type": ["string", "null"], "description": "a command that puts it right"},
            "advice": {"type": ["string", "null"], "description": "what to do, in words"},
            "check": {"type": ["string", "null"], "description": "a command that shows it"}
        }
    })
}
