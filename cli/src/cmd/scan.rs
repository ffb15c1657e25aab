//! `berth scan`: which ports of a host lose traffic.

use std::sync::Arc;

use anyhow::Context as _;
use net::Endpoint;
use story::{json, term};
use trace::{Fate, Listener};

use crate::args::ScanArgs;
use crate::late::Late;
use crate::read::Connections;
use crate::subject::Subject;
use crate::{cluster, out};

/// Asks about every listener, prints what was found, and gives the exit status.
pub(crate) fn run(args: &ScanArgs) -> anyhow::Result<u8> {
    let cluster = Arc::new(cluster::load(&args.cluster).context("scan")?);
    let wanted = Connections::OfListeners;
    let subject = Subject::read(&args.host, &args.cluster, cluster, wanted).context("scan")?;
    let bar = Late::new("asking about listeners");
    let listeners = subject.listeners(|done, all| bar.show(done, all));
    bar.clear();
    let ports = args.ports.map(|proto| {
        let bar = Late::new("asking about ports");
        let (host, pods) = (&subject.host, &subject.pod_ranges);
        let ports = trace::sweep(host, proto, pods, |done, all| bar.show(done, all));
        bar.clear();
        ports
    });
    let pod_at = |to: Endpoint| subject.pod_at(to);
    let mut scan = subject.scan(&listeners, &pod_at);
    scan.ports = ports.as_deref();
    if args.json {
        out::print(&json::render_scan(&scan))?;
        return Ok(status(&listeners));
    }
    let options = term::Options {
        width: out::width(),
        styled: true,
        ..term::Options::default()
    };
    out::print(&term::table(&scan, &options, args.all))?;
    Ok(status(&listeners))
}

/// 1 where a port loses traffic, else 2 where it cannot tell, else 0.
fn status(listeners: &[Listener]) -> u8 {
    match listeners.iter().filter_map(Listener::worst).max() {
        Some(Fate::Lost) => 1,
        Some(Fate::Unknown) => 2,
        Some(Fate::Arrives | Fate::Blocked) | None => 0,
    }
}
