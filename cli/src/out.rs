//! What goes to stdout and stderr, and a reader that stops listening.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::CANNOT_TELL;

/// Columns below and above which a story is not written.
const NARROWEST: u16 = 80;
const WIDEST: u16 = 120;

/// Writes to stdout; styles are taken out where it is no terminal or `NO_COLOR` is set.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_closed(written)
}

/// Writes bytes to stdout as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    unless_closed(written)
}

/// A reader that stops listening is no fault: the answer, and the exit status, stay.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says something on stderr, in one line; what cannot be said there cannot be said at all.
pub(crate) fn say(text: &str) {
    let line = story::escape::terminal(text);
    let _ = writeln!(anstream::stderr().lock(), "berth: {line}");
}

/// Prints help, a version, or what was wrong with the command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
        ExitCode::from(CANNOT_TELL)
    } else {
        let _ = print(&text);
        ExitCode::SUCCESS
    }
}

/// Columns of the terminal, 80 where there is none.
pub(crate) fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    usize::from(columns.clamp(NARROWEST, WIDEST))
}
