//! Runs a program of the host inside the calling thread's namespace, bounded in time.

use std::fmt;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Longest time a program may take.
const SECONDS: &str = "30";

/// Why a program did not do its work.
#[derive(Debug)]
pub struct ToolError {
    /// The command line.
    pub command: String,
    /// What it was given.
    pub input: String,
    /// What it said.
    pub said: String,
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` refused: {}", self.command, self.said.trim())
    }
}

impl std::error::Error for ToolError {}

/// Runs `command` with `input`, and returns what it prints.
///
/// # Errors
/// Where it cannot be started, fails, or takes too long.
pub fn run(command: &[&str], input: &str) -> Result<String, ToolError> {
    let refused = |said: String| ToolError {
        command: command.join(" "),
        input: input.to_owned(),
        said,
    };
    let mut child = Command::new("timeout")
        .args(["-k", "1", SECONDS])
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| refused(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            // It may end without reading all; its exit status tells why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(refused(error.to_string()));
            }
            _ => {}
        }
    }
    let output = child
        .wait_with_output()
        .map_err(|error| refused(error.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(refused(format!("{} ({})", said.trim(), output.status)))
    }
}
