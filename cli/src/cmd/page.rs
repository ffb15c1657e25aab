//! `berth page`: a page with the ports of a host, and the answers of `why` and `scan`.

mod caller;
mod clock;
mod fresh;
mod problem;
mod query;
mod question;
mod request;
mod response;
mod serve;
mod site;
mod views;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;

use crate::args::PageArgs;
use crate::out;

use site::Site;

/// Serves until a signal asks to end.
pub(crate) fn run(args: PageArgs) -> anyhow::Result<u8> {
    let signals = kernel::hold_end().context("page: cannot wait for signals")?;
    let addr = args.listen;
    let site = Arc::new(Site::new(args).context("page")?);
    let listener = listen(addr)?;
    let addr = listener.local_addr().context("page")?;
    if !addr.ip().is_loopback() {
        out::say(&format!(
            "whoever reaches {addr} can read this page: it asks for no password"
        ));
    }
    out::print(&format!("http://{addr}/\n"))?;
    serve::serve(&listener, &signals, &site).context("page")?;
    Ok(0)
}

fn listen(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).with_context(|| {
        format!("page: cannot listen on {addr}: choose another with --listen ADDRESS:PORT")
    })
}
