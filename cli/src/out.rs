//! What goes to stdout and stderr, and a reader that stops listening.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;

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
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() {
        let _ = print(&error.render().ansi().to_string());
        return ExitCode::SUCCESS;
    }
    if is_help {
        let text = error.render().ansi().to_string();
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    } else {
        say(&misuse(&error.render().to_string()));
    }
    ExitCode::from(CANNOT_TELL)
}

/// What was wrong with the command line, in one line: the sentence and the tips of the
/// parser's message, and where to read on in place of its usage.
fn misuse(message: &str) -> String {
    let is_told = |part: &&str| part.starts_with("error: ") || part.starts_with("tip: ");
    let parts = message.split("\n\n").map(str::trim).filter(is_told);
    let told: Vec<String> = parts
        .map(|part| {
            let words = part
                .trim_start_matches("error: ")
                .trim_start_matches("tip: ");
            words.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    let command = message
        .lines()
        .find_map(|line| line.strip_prefix("Usage: berth "));
    let command = command.and_then(|usage| usage.split_whitespace().next());
    let command = command.filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
    let help = command.map_or("berth --help".to_owned(), |word| {
        format!("berth {word} --help")
    });
    format!("{}: see {help}", told.join("; "))
}

/// Columns of the terminal, 80 where there is none.
pub(crate) fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    usize::from(columns.clamp(NARROWEST, WIDEST))
}
