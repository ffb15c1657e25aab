//! Asks the tracer about a packet.

use std::panic::{AssertUnwindSafe, catch_unwind};

use host::Host;
use net::{Endpoint, Prefix, Proto};
use trace::{Answer, Origin, Question};

use crate::world::{LINKS, Packet, Transport, mac_of};

/// What is foretold for a packet.
///
/// # Errors
/// Where the tracer refuses the question, or panics.
pub fn foretell(host: &Host, packet: &Packet) -> Result<Vec<Answer>, String> {
    let question = question(packet);
    match catch_unwind(AssertUnwindSafe(|| trace::answer(host, &question))) {
        Ok(answers) => answers.map_err(|error| format!("no answer: {error}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("the tracer panicked: {}", text.unwrap_or_default()))
        }
    }
}

/// The question that a packet stands for.
pub fn question(packet: &Packet) -> Question {
    let proto = match packet.transport {
        Transport::Tcp => Proto::TCP,
        Transport::Udp => Proto::UDP,
    };
    let to = Endpoint {
        addr: packet.dst,
        port: packet.dport,
    };
    let side = packet
        .iif
        .and_then(|iif| LINKS.iter().find(|side| side.node_link == iif));
    Question {
        origin: packet.src.map_or(Origin::Local, Origin::Address),
        iif: packet.iif.map(str::to_owned),
        sport: Some(packet.sport),
        mac: side.map(|side| mac_of(side, true)),
        user: (packet.uid, 0),
        pod_ranges: pod_ranges(),
        ..Question::about(proto, to)
    }
}

/// The addresses of pods.
pub fn pod_ranges() -> Vec<Prefix> {
    ["10.2.0.0/16", "fd21::/64", "fd22::/64"]
        .map(|text| text.parse().expect("these are prefixes"))
        .to_vec()
}
