//! The rules that kube-proxy would write, loaded as it loads them.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use kernel::netns::Netns;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::wait;

/// A node on whose NodePorts there is nothing yet.
pub(super) const WITHOUT_SERVICE: &str = include_str!("rules/without-service.txt");
/// A Service with a NodePort and no endpoints.
pub(super) const WITHOUT_ENDPOINT: &str = include_str!("rules/without-endpoint.txt");
/// The same Service with an endpoint.
pub(super) const WITH_ENDPOINT: &str = include_str!("rules/with-endpoint.txt");

/// Where the program may be: an ordinary user's search path may leave these folders out.
const PROGRAMS: [&str; 3] = [
    "iptables-restore",
    "/usr/sbin/iptables-restore",
    "/sbin/iptables-restore",
];

/// Puts `rules` in place of those in the namespace.
pub(super) fn load(netns: &Netns, rules: &str) -> anyhow::Result<()> {
    for program in PROGRAMS {
        let ran = netns.run(|| run(program, rules))?;
        match ran {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("cannot load rules with iptables-restore"),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said: Vec<&str> = said.split_whitespace().collect();
                bail!("iptables-restore refused the rules: {}", said.join(" "));
            }
        }
    }
    bail!("there is no iptables-restore to load rules with: apt-get install iptables")
}

fn run(program: &str, rules: &str) -> io::Result<Output> {
    let mut child = Command::new(program)
        // Nobody else knows these tables, and the usual lock belongs to root.
        .env("XTABLES_LOCKFILE", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that stops reading says why on stderr.
        let _ = stdin.write_all(rules.as_bytes());
    }
    let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    if let Err(error) = wait::for_event(ended) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error);
    }
    child.wait_with_output()
}
