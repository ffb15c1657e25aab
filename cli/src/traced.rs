//! The way of one packet as the kernel reports it, beside what was foretold.
//!
//! The only part of `why` that changes the host: one table comes to be, is told of before, and
//! is gone when the packet went its way.

use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use host::nftrace::{Headers, Wanted, way};
use host::{Hook, Host, TableFamily};
use kernel::Held;
use kernel::netns::{NetnsRef, in_netns};
use kernel::nftrace::{Heard, Tracing};
use kernel::socket::{Attempt, ProbeResult};
use story::{Traced, words};
use trace::{Origin, Question};

use crate::{out, probe};

/// What names of our tables begin with.
const TABLE: &str = "berth-trace-";

/// Connects once from here and follows the first packet. Beside the way stand the question that
/// this answers, with the port it was made from, and what the connection met.
pub(crate) fn probe(
    host: &Host,
    asked: &Question,
    netns: Option<&NetnsRef>,
) -> anyhow::Result<(Question, ProbeResult, Traced)> {
    let mut local = probe::question(asked);
    let table = Table::new(host, netns)?;
    let held = Held::new().context("why: --trace")?;
    let stop = held.as_fd();
    let source = probe::source(&local);
    let run = || {
        let attempt = Attempt::prepare(local.proto, local.to, source, local.sport)
            .context("without --wait SECONDS the connection is made from here")?;
        let port = attempt.port();
        let wanted = Wanted {
            hook: Hook::Output,
            proto: local.proto,
            to: local.to,
            from: source,
            sport: Some(port),
            iif: None,
        };
        let tracing = table.add(&wanted, None)?;
        let saw = attempt.make(probe::PATIENCE, stop)?;
        anyhow::Ok((port, saw, tracing.stop()?))
    };
    let (port, saw, heard) = inside(netns, run)?;
    local.sport = Some(port);
    let traced = table.beside(host, &heard, |_| Ok(local.clone()))?;
    Ok((local, saw, traced))
}

/// Waits for a client of the kind asked about, and follows the packet that opens its
/// connection.
pub(crate) fn watch(
    host: &Host,
    asked: &Question,
    netns: Option<&NetnsRef>,
    seconds: u64,
) -> anyhow::Result<Traced> {
    let table = Table::new(host, netns)?;
    let held = Held::new().context("why: --trace")?;
    let stop = held.as_fd();
    let wanted = Wanted {
        hook: hook(host, asked),
        proto: asked.proto,
        to: asked.to,
        from: probe::source(asked),
        sport: asked.sport,
        iif: asked.iif.clone(),
    };
    let run = || {
        let mut tracing = table.add(&wanted, Some(seconds))?;
        tracing.wait(Duration::from_secs(seconds), stop)?;
        anyhow::Ok(tracing.stop()?)
    };
    let heard = inside(netns, run)?;
    let traced = table.beside(host, &heard, |packet| came(host, asked, packet))?;
    Ok(Traced {
        waited: Some(seconds),
        ..traced
    })
}

/// Where packets of the clients asked about come to first.
fn hook(host: &Host, asked: &Question) -> Hook {
    let is_here = match asked.origin {
        Origin::Local => true,
        Origin::Address(addr) => asked.iif.is_none() && host.has_address(addr),
        Origin::Everywhere | Origin::Outside | Origin::Pods => false,
    };
    if is_here {
        Hook::Output
    } else {
        Hook::Prerouting
    }
}

/// The question that a packet answers.
fn came(host: &Host, asked: &Question, packet: &Headers) -> anyhow::Result<Question> {
    let mut question = asked.clone();
    question.sport = Some(packet.from.port);
    if let Some(index) = packet.iif {
        let link = host.link(index);
        let link = link.context("why: --trace: the packet came in on an interface that is new")?;
        question.iif = Some(link.name.clone());
        question.origin = Origin::Address(packet.from.addr);
    }
    Ok(question)
}

/// Our table: its name, and what it is added to.
struct Table<'a> {
    name: String,
    built_on: u32,
    netns: Option<&'a NetnsRef>,
}

impl<'a> Table<'a> {
    fn new(host: &Host, netns: Option<&'a NetnsRef>) -> anyhow::Result<Self> {
        let Some(built_on) = host.ruleset.generation else {
            bail!(
                "why: --trace: nftables' rules could not be read, or the kernel has no \
                 nf_tables: run as root where `nft list tables` works"
            );
        };
        let left = host
            .ruleset
            .tables
            .iter()
            .find(|table| table.family == TableFamily::Inet && table.name.starts_with(TABLE));
        if let Some(left) = left {
            bail!(
                "why: --trace: table inet {0} is there: another trace is going on, or one was \
                 killed: then `nft delete table inet {0}`",
                left.name
            );
        }
        let name = format!("{TABLE}{}", std::process::id());
        Ok(Self {
            name,
            built_on,
            netns,
        })
    }

    /// Says what will be done, and does it.
    fn add(&self, wanted: &Wanted, seconds: Option<u64>) -> anyhow::Result<Tracing> {
        let to = self
            .netns
            .map_or(String::new(), |netns| format!(" to the {netns}"));
        out::say(&words::trace_begins(wanted, &self.name, &to, seconds));
        let tracing = Tracing::start(wanted, &self.name, self.built_on)?;
        if tracing.may_stay() {
            out::say(&words::trace_may_stay(&self.name));
        }
        Ok(tracing)
    }

    /// What was heard of a packet, beside the ways foretold by the question that it answers.
    fn beside(
        &self,
        host: &Host,
        heard: &Heard,
        question: impl FnOnce(&Headers) -> anyhow::Result<Question>,
    ) -> anyhow::Result<Traced> {
        let way = way(&host::wire::reports(&heard.bytes), &self.name);
        let (packet, reports) =
            way.map_or((None, Vec::new()), |way| (Some(way.headers), way.reports));
        let ways = match &packet {
            Some(packet) => trace::ways(host, &question(packet)?).context("why: --trace")?,
            None => Vec::new(),
        };
        Ok(Traced {
            table: self.name.clone(),
            packet,
            beside: trace::beside(host, &ways, &reports),
            lost: heard.lost,
            waited: None,
        })
    }
}

fn inside<T: Send>(
    netns: Option<&NetnsRef>,
    run: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    let done = match netns {
        Some(netns) => in_netns(netns, run).context("why: --trace")?,
        None => run(),
    };
    done.context("why: --trace")
}
