//! `berth page` as a client and as a browser meet it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(unreachable_pub, reason = "a test binary is nobody's library")]

#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "browser")]
mod chromium;
mod hostile;
mod served;
mod server;
