//! Reads the host that is asked about: this one, one that was saved, one put together.

use host::Host;
use host::dump::Dump;
use kernel::Flow;

use crate::args::HostArgs;
use crate::{live, offline};

/// A host, and the dump it came from where it is one.
pub(crate) struct Read {
    pub(crate) host: Host,
    pub(crate) dump: Option<Dump>,
}

/// Reads it; of conntrack's entries those of `flow`.
pub(crate) fn read(args: &HostArgs, flow: Option<Flow>) -> anyhow::Result<Read> {
    if args.is_offline() {
        let (host, dump) = offline::read(args)?;
        return Ok(Read { host, dump });
    }
    let dump = live::read(args.netns.as_ref(), flow)?;
    Ok(Read {
        host: host::wire::host(&dump),
        dump: Some(dump),
    })
}
