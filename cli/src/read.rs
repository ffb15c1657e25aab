//! Reads the host that is asked about: this one, one that was saved, one put together.

use host::Host;
use host::dump::Dump;
use kernel::netns::NetnsRef;
use kernel::{Flow, Wanted};

use crate::args::HostArgs;
use crate::{live, offline};

/// A host, and the dump it came from where it is one.
pub(crate) struct Read {
    pub(crate) host: Host,
    pub(crate) dump: Option<Dump>,
}

/// Which of the connections that a host tracks are read with it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Connections {
    /// None.
    Unread,
    /// Those of one flow.
    Of(Flow),
    /// Those to listeners and NodePorts.
    OfListeners,
}

/// Reads it, with these connections where it is a running one.
pub(crate) fn read(args: &HostArgs, connections: Connections) -> anyhow::Result<Read> {
    if args.is_offline() {
        let (host, dump) = offline::read(args)?;
        return Ok(Read { host, dump });
    }
    let (host, dump) = live(args.netns.as_ref(), connections)?;
    Ok(Read {
        host,
        dump: Some(dump),
    })
}

/// Reads a network namespace of this machine.
pub(crate) fn live(
    netns: Option<&NetnsRef>,
    connections: Connections,
) -> anyhow::Result<(Host, Dump)> {
    let flow = match connections {
        Connections::Of(flow) => Some(flow),
        Connections::Unread | Connections::OfListeners => None,
    };
    let mut dump = live::read(netns, flow)?;
    let mut host = host::wire::host(&dump);
    if matches!(connections, Connections::OfListeners) {
        // Which they are is known only now.
        kernel::read_connections(netns, &wanted(&host), &mut dump)?;
        host::wire::add_connections(&mut host, &dump);
    }
    Ok((host, dump))
}

/// The ports of this host that a process waits on or a rule was made for.
fn wanted(host: &Host) -> Wanted {
    let listeners = host.sockets.iter().filter(|socket| socket.state.waits());
    let addrs = host.addresses.iter().map(|own| own.addr).collect();
    let node_ports = trace::frontends_here(host).into_iter();
    let ports = node_ports.flat_map(|one| one.protocols().map(move |proto| (proto, one.port)));
    Wanted {
        addrs,
        ports: listeners
            .map(|socket| (socket.proto, socket.port))
            .chain(ports)
            .collect(),
    }
}
