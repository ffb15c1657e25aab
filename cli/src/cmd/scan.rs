//! `berth scan`: which ports of a host lose traffic.

use anyhow::Context as _;
use net::Endpoint;
use story::{Scan, json, term};
use trace::{Fate, Listener};

use crate::args::ScanArgs;
use crate::late::Late;
use crate::read::{Connections, read};
use crate::{cluster, names, out};

/// Asks about every listener, prints what was found, and gives the exit status.
pub(crate) fn run(args: &ScanArgs) -> anyhow::Result<u8> {
    let cluster = cluster::load(&args.cluster).context("scan")?;
    let mut read = read(&args.host, Connections::OfListeners).context("scan")?;
    let _ = trace::complete(&mut read.host);
    let names = names::names(&read.host, read.dump.as_ref(), &cluster.catalog);
    let pods = cluster.pod_ranges(&args.cluster, &read.host);
    let bar = Late::new("asking about listeners");
    let listeners = trace::scan(&read.host, &pods, &cluster, |done, all| bar.show(done, all));
    bar.clear();
    let ports = args.ports.map(|proto| {
        let bar = Late::new("asking about ports");
        let ports = trace::sweep(&read.host, proto, &pods, |done, all| bar.show(done, all));
        bar.clear();
        ports
    });
    let pod_at = |to: Endpoint| {
        let pod = cluster.catalog.pod_at(to)?;
        Some(pod.name.to_string())
    };
    let scan = Scan {
        host: &read.host,
        listeners: &listeners,
        names: &names,
        ports: ports.as_deref(),
        pod_at: &pod_at,
    };
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
