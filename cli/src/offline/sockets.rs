//! Sockets: what `ss` printed, and listeners by hand.

use anyhow::Context as _;
use host::{GapKind, parse};

use crate::args::HostArgs;

use super::{Desk, index_of, text};

/// Reads the files, then the short forms beside them.
pub(super) fn read(desk: &mut Desk, args: &HostArgs) -> anyhow::Result<()> {
    if args.sockets.is_empty() && args.listen.is_empty() {
        return Ok(());
    }
    if !args.sockets.is_empty() {
        desk.host.sockets.clear();
        desk.forget(GapKind::Sockets);
    }
    for path in &args.sockets {
        let ss = |host: &host::Host, input: parse::Input<'_>| {
            let (sockets, mut problems) = parse::ss(input, |name| index_of(host, name));
            problems.extend(text::cut(input));
            (sockets, problems)
        };
        let sockets = desk.parsed(GapKind::Sockets, path, ss)?;
        desk.host.sockets.extend(sockets);
    }
    for listener in &args.listen {
        let socket = parse::listen(listener).context("--listen")?;
        desk.host.sockets.push(socket);
    }
    desk.host.given.sockets = true;
    Ok(())
}
