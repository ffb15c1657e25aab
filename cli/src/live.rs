//! Reads this machine, telling on a terminal how far it is.

use std::sync::Mutex;

use anyhow::Context as _;
use host::dump::Dump;
use indicatif::{ProgressBar, ProgressStyle};
use kernel::netns::NetnsRef;
use kernel::{Flow, Progress, ReadOptions};

use crate::names::{self, NETNS, PODS};

/// Parts with fewer pieces are over before a bar could be seen.
const WORTH_TELLING: usize = 2_000;

/// Reads a network namespace of this machine, the current one unless another is named.
pub(crate) fn read(netns: Option<&NetnsRef>, flow: Option<Flow>) -> anyhow::Result<Dump> {
    let bar = Bar::default();
    let told = |progress: Progress| bar.show(progress);
    let options = ReadOptions {
        netns: netns.cloned(),
        flow,
        progress: Some(&told),
    };
    let read = kernel::read(&options);
    bar.clear();
    let mut dump = read.context("cannot read this host")?;
    let pods = names::kubelet_pods();
    if !pods.is_empty() {
        let _ = dump.sections.insert(PODS.to_owned(), pods.into_bytes());
    }
    if let Some(netns) = netns {
        let name = netns.to_string().into_bytes();
        let _ = dump.sections.insert(NETNS.to_owned(), name);
    }
    Ok(dump)
}

/// One bar on stderr for the long part that is told of last; nothing where stderr is no
/// terminal.
#[derive(Default)]
struct Bar(Mutex<Option<(&'static str, ProgressBar)>>);

impl Bar {
    fn show(&self, progress: Progress) {
        if progress.total < WORTH_TELLING {
            return;
        }
        let Ok(mut shown) = self.0.lock() else { return };
        let is_new = shown
            .as_ref()
            .is_none_or(|(what, _)| *what != progress.what);
        if is_new {
            if let Some((_, old)) = shown.take() {
                old.finish_and_clear();
            }
            let bar = ProgressBar::new(0).with_style(style());
            let message = format!("reading {}", progress.what);
            *shown = Some((progress.what, bar.with_message(message)));
        }
        if let Some((_, bar)) = shown.as_ref() {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
        }
    }

    fn clear(&self) {
        if let Ok(mut shown) = self.0.lock()
            && let Some((_, bar)) = shown.take()
        {
            bar.finish_and_clear();
        }
    }
}

pub(crate) fn style() -> ProgressStyle {
    let template = "{msg}: {pos} of {len} {wide_bar}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
