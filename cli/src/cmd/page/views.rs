//! What a scan of a host comes to, in every form that the page shows it in.

use net::Endpoint;
use story::html::{self, Frame};
use story::{Ports, json};
use trace::Frontend;

use crate::subject::Subject;

/// The port map and the list of listeners, rendered once for all who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Views {
    pub(super) ports: String,
    pub(super) ports_json: String,
    pub(super) listeners: String,
    pub(super) all_listeners: String,
    pub(super) listeners_json: String,
}

impl Views {
    /// Scans a host and renders what was found.
    pub(super) fn new(subject: &Subject, source: &str, node_ports: (u16, u16)) -> Self {
        let listeners = subject.listeners(|_, _| {});
        let pod_at = |to: Endpoint| subject.pod_at(to);
        let scan = subject.scan(&listeners, &pod_at);
        let promised = promised(subject);
        let map = trace::ports(&subject.host, &subject.pod_ranges, &listeners, &promised);
        let ports = Ports {
            scan,
            map: &map,
            node_ports,
        };
        let frame = Frame {
            host: &subject.host.name,
            source,
        };
        Self {
            ports: html::ports(&frame, &ports),
            ports_json: json::render_ports(&ports),
            listeners: html::listeners(&frame, &scan, false),
            all_listeners: html::listeners(&frame, &scan, true),
            listeners_json: json::render_scan(&scan),
        }
    }
}

/// NodePorts that the manifests promise.
fn promised(subject: &Subject) -> Vec<Frontend> {
    let promises = subject.cluster.catalog.promises();
    let of = |promise: &service::Promise| {
        Some(Frontend {
            port: promise.node_port?,
            proto: Some(promise.proto),
            addr: None,
            service: Some(promise.name.clone()),
        })
    };
    promises.filter_map(of).collect()
}
