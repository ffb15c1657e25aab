//! A host put together from a snapshot, from what programs printed, and from short forms.

mod routing;
mod rules;
mod sockets;
mod text;

use std::path::Path;

use anyhow::{Context as _, bail};
use host::dump::Dump;
use host::parse::{self, Input, Problem};
use host::{Connections, Gap, GapKind, Host};

use crate::args::HostArgs;
use crate::{input, out};

/// Problems that are told one by one before the rest is counted.
const TOLD: usize = 20;

/// Puts the host together. A snapshot comes first; what files and short forms give takes the
/// place of that part of it. What is not given is left to be assumed.
pub(crate) fn read(args: &HostArgs) -> anyhow::Result<(Host, Option<Dump>)> {
    let dump = args.snapshot.as_deref().map(snapshot).transpose()?;
    if let (Some(path), true) = (&args.snapshot, args.has_parts()) {
        let path = path.display();
        out::say(&format!(
            "the host is that of {path} with the parts that were given beside it"
        ));
    }
    let mut desk = Desk {
        host: dump.as_ref().map(host::wire::host).unwrap_or_default(),
        ..Desk::default()
    };
    routing::read(&mut desk, args)?;
    rules::read(&mut desk, &args.rules)?;
    sockets::read(&mut desk, args)?;
    desk.sets(args)?;
    desk.connections(args)?;
    desk.sysctls(args)?;
    desk.say_problems();
    Ok((desk.host, dump))
}

fn snapshot(path: &Path) -> anyhow::Result<Dump> {
    let bytes = content(path)?;
    Dump::from_bytes(&bytes).with_context(|| format!("cannot read {}", path.display()))
}

/// The bytes of a file; `-` is stdin.
fn content(path: &Path) -> anyhow::Result<Vec<u8>> {
    input::whole(path, true).with_context(|| format!("cannot read {}", path.display()))
}

/// The host as far as it is put together, and what was wrong with the parts.
#[derive(Default)]
struct Desk {
    host: Host,
    /// With the part of an answer that each can touch.
    problems: Vec<(GapKind, Problem)>,
}

impl Desk {
    /// Reads a file with one of the parsers, keeping its problems. What is lost of it leaves
    /// answers that depend on this part unknown.
    fn parsed<T>(
        &mut self,
        kind: GapKind,
        path: &Path,
        parser: impl FnOnce(&Host, Input<'_>) -> (T, Vec<Problem>),
    ) -> anyhow::Result<T> {
        let bytes = text::utf8(content(path)?);
        let name = path.display().to_string();
        let input = Input {
            name: &name,
            text: &bytes,
        };
        let (found, problems) = parser(&self.host, input);
        self.add_problems(kind, problems);
        self.add_problems(kind, text::empty(input));
        Ok(found)
    }

    fn add_problems(&mut self, kind: GapKind, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            let kind = if problem.lost { kind } else { GapKind::Input };
            // A file that is read as two things has the same problem twice.
            let told = self.problems.iter().any(|(_, known)| *known == problem);
            if !told {
                self.problems.push((kind, problem));
            }
        }
    }

    fn sets(&mut self, args: &HostArgs) -> anyhow::Result<()> {
        if !args.sets.is_empty() {
            self.host.ipsets.clear();
        }
        for path in &args.sets {
            let sets = self.parsed(GapKind::Rules, path, |_, input| parse::ipset_save(input))?;
            self.host.ipsets.extend(sets);
        }
        Ok(())
    }

    fn connections(&mut self, args: &HostArgs) -> anyhow::Result<()> {
        if args.conntrack.is_empty() {
            return Ok(());
        }
        let mut all = Vec::new();
        for path in &args.conntrack {
            // Connections that are there already decide nothing about a new one.
            let found = self.parsed(GapKind::Input, path, |_, input| parse::conntrack(input))?;
            all.extend(found);
        }
        self.host.connections = Connections::of(all);
        Ok(())
    }

    fn sysctls(&mut self, args: &HostArgs) -> anyhow::Result<()> {
        for path in &args.sysctls {
            let sysctls = self.parsed(GapKind::Routing, path, |_, input| {
                let (sysctls, mut problems) = parse::sysctls(input);
                problems.extend(text::cut(input));
                (sysctls, problems)
            })?;
            for (name, value) in sysctls.iter() {
                self.host.sysctls.insert(name, value);
            }
            self.host.given.sysctls = true;
        }
        for setting in &args.sysctl {
            let (name, value) = setting
                .split_once('=')
                .with_context(|| format!("cannot read --sysctl `{setting}`: give NAME=VALUE"))?;
            if !name.contains(['.', '/']) {
                bail!(
                    "cannot read --sysctl `{setting}`: give its whole NAME, such as \
                     net.ipv4.ip_forward"
                );
            }
            if let Some(wanted) = host::Sysctls::fault(name.trim(), value) {
                bail!("cannot read --sysctl `{setting}`: its value must be {wanted}");
            }
            self.host.sysctls.insert(name.trim(), value);
        }
        Ok(())
    }

    /// Drops gaps of a snapshot in a part that is given otherwise.
    fn forget(&mut self, kind: GapKind) {
        self.host.gaps.retain(|gap| gap.kind != kind);
    }

    /// Names on stderr what was skipped, and keeps it as gaps of the host: all that is lost, and
    /// of what is only worth a note as many as are told.
    fn say_problems(&mut self) {
        for (_, problem) in self.problems.iter().take(TOLD) {
            out::say(&problem.to_string());
        }
        if self.problems.len() > TOLD {
            let more = self.problems.len() - TOLD;
            out::say(&format!("{more} more problems in the files given"));
        }
        let mut kinds: Vec<GapKind> = Vec::new();
        for (i, (kind, problem)) in self.problems.iter().enumerate() {
            // One cause is enough to leave an answer open.
            let is_new = !kinds.contains(kind);
            kinds.push(*kind);
            if is_new || (*kind == GapKind::Input && i < TOLD) {
                self.host.gaps.push(Gap {
                    kind: *kind,
                    what: problem.to_string(),
                    device: None,
                });
            }
        }
    }
}

/// The index of a link by its name.
fn index_of(host: &Host, name: &str) -> Option<u32> {
    host.link_named(name).map(|link| link.index)
}
