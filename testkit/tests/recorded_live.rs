//! The recorded node under kube-proxy 1.20.2, loaded into a namespace and read back from the
//! running kernel: it foretells what clients really saw, as its saved files do.
#![cfg(feature = "netns")]

use host::{Host, Socket};
use net::Family;
use testkit::live::{Live, LiveError};
use testkit::recorded::{LANGUAGES, STAGES, node, rows, saved_rules, wrongs};

/// Puts the node into a namespace, with the rules as iptables loads them, and reads it back.
fn loaded(rules: &str, stage: &str) -> Result<Host, LiveError> {
    let node = node(rules, stage);
    let mut live = Live::of(&node)?;
    live.serve(&node)?;
    for (family, program) in [(Family::V4, "iptables"), (Family::V6, "ip6tables")] {
        let text = saved_rules(rules, stage, family);
        let _ = live.run(&[&format!("{program}-{rules}-restore")], &text)?;
    }
    let mut host = live.host()?;
    for socket in &mut host.sockets {
        name_after(socket, &node);
    }
    Ok(host)
}

/// Gives a socket, which this test holds, the holder that it had on the node.
fn name_after(socket: &mut Socket, node: &Host) {
    let place = |socket: &Socket| (socket.proto, socket.addr, socket.port);
    let same = node
        .sockets
        .iter()
        .find(|other| place(other) == place(socket));
    socket.holder = same.and_then(|other| other.holder.clone());
}

#[test]
fn every_recorded_connection_ends_as_foretold_from_the_running_kernel() {
    let rows = rows();
    let mut wrong = Vec::new();
    for rules in LANGUAGES {
        for stage in STAGES {
            let host = loaded(rules, stage).unwrap();
            wrong.extend(wrongs(&host, &rows, rules, stage));
        }
    }
    let (wrong, all) = (wrong.concat(), rows.len());
    assert!(wrong.is_empty(), "of {all} rows these are wrong:\n{wrong}");
}
