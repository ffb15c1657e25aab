//! `berth scan`: which ports of a host lose traffic.

use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget};
use net::Endpoint;
use story::{Scan, json, term};
use trace::{Fate, Listener};

use crate::args::ScanArgs;
use crate::read::read;
use crate::{cluster, live, names, out};

/// How long a scan may take before it tells how far it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks about every listener, prints what was found, and gives the exit status.
pub(crate) fn run(args: &ScanArgs) -> anyhow::Result<u8> {
    let cluster = cluster::load(&args.cluster).context("scan")?;
    let mut read = read(&args.host, None).context("scan")?;
    let _ = trace::complete(&mut read.host);
    let names = names::names(&read.host, read.dump.as_ref(), &cluster.catalog);
    let pods = cluster.pod_ranges(&args.cluster, &read.host);
    let bar = Late::new();
    let listeners = trace::scan(&read.host, &pods, &cluster, |done, all| bar.show(done, all));
    bar.0.finish_and_clear();
    let pod_at = |to: Endpoint| {
        let pod = cluster.catalog.pod_at(to)?;
        Some(pod.name.to_string())
    };
    let scan = Scan {
        host: &read.host,
        listeners: &listeners,
        names: &names,
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

/// A progress bar on stderr, for work that takes longer than people wait without a word.
struct Late(ProgressBar);

impl Late {
    fn new() -> Self {
        let bar = ProgressBar::hidden().with_style(live::style());
        Self(bar.with_message("asking about listeners"))
    }

    fn show(&self, done: usize, all: usize) {
        if self.0.is_hidden() && self.0.elapsed() > PATIENCE {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
    }
}

/// 1 where a port loses traffic, else 2 where it cannot tell, else 0.
fn status(listeners: &[Listener]) -> u8 {
    match listeners.iter().filter_map(Listener::worst).max() {
        Some(Fate::Lost) => 1,
        Some(Fate::Unknown) => 2,
        Some(Fate::Arrives | Fate::Blocked) | None => 0,
    }
}
