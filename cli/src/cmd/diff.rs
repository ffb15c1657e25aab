//! `berth diff`: what ends otherwise in two states of a host.

use anyhow::Context as _;
use host::Host;
use net::Prefix;
use story::{Comparison, json, term};
use trace::Side;

use crate::args::{ClusterArgs, DiffArgs, HostArgs};
use crate::cluster::{self, Cluster};
use crate::late::Late;
use crate::out;
use crate::read::{Connections, read};

/// Compares, prints what ends otherwise, and gives the exit status: 1 where something does.
pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<u8> {
    let cluster = cluster::load(&args.cluster).context("diff")?;
    let before = HostArgs {
        snapshot: Some(args.before.clone()),
        ..HostArgs::default()
    };
    let after = HostArgs {
        snapshot: args.after.clone(),
        netns: args.netns.clone(),
        ..HostArgs::default()
    };
    let (before, before_pods) = state(&before, &cluster, &args.cluster)?;
    let (after, after_pods) = state(&after, &cluster, &args.cluster)?;
    let bar = Late::new("asking about destinations");
    let sides = [(&before, &before_pods), (&after, &after_pods)].map(|(host, pods)| Side {
        host,
        pod_ranges: pods,
    });
    let found = trace::diff(sides[0], sides[1], |done, all| bar.show(done, all));
    bar.clear();
    let comparison = Comparison {
        before: &before,
        after: &after,
        changes: &found.changes,
        unasked: found.unasked,
    };
    if args.json {
        out::print(&json::render_changes(&comparison))?;
    } else {
        let options = term::Options {
            verbose: args.verbose,
            width: out::width(),
            styled: true,
        };
        out::print(&term::changes(&comparison, &options))?;
    }
    Ok(u8::from(!found.changes.is_empty()))
}

fn state(
    args: &HostArgs,
    cluster: &Cluster,
    told: &ClusterArgs,
) -> anyhow::Result<(Host, Vec<Prefix>)> {
    let mut read = read(args, Connections::Unread).context("diff")?;
    let _ = trace::complete(&mut read.host);
    let pods = cluster.pod_ranges(told, &read.host);
    Ok((read.host, pods))
}
