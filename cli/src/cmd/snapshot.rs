//! `berth snapshot`: saves a host in one file.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use host::dump::Dump;

use crate::args::SnapshotArgs;
use crate::out;
use crate::read::{self, Connections};

/// Reads the host and writes the file; what could not be read is said on stderr.
pub(crate) fn run(args: &SnapshotArgs) -> anyhow::Result<u8> {
    let to_stdout = args
        .output
        .as_deref()
        .is_none_or(|path| path == Path::new("-"));
    if args.output.is_none() && io::stdout().is_terminal() {
        bail!("snapshot: would fill the terminal with bytes: give -o FILE");
    }
    let wanted = Connections::OfListeners;
    let (_, dump) = read::live(args.netns.as_ref(), wanted).context("snapshot")?;
    say_unread(&dump);
    let bytes = dump.to_bytes();
    match &args.output {
        Some(path) if !to_stdout => {
            replace(path, &bytes)
                .with_context(|| format!("snapshot: cannot write {}", path.display()))?;
            let size = bytes.len().div_ceil(1024);
            out::say(&format!("wrote {} ({size} KiB)", path.display()));
        }
        _ => out::print_bytes(&bytes)?,
    }
    Ok(0)
}

/// Names on stderr what is missing from a reading.
fn say_unread(dump: &Dump) {
    for unread in &dump.unread {
        out::say(&format!("not read: {}: {}", unread.what, unread.why));
    }
}

/// Puts a whole file in place of the one that is there, or leaves that as it is. A device or a
/// pipe is written to, and a link stays one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let temporary = temporary(path)?;
    let write = || -> io::Result<()> {
        // The file tells all about the host's network: for its owner only.
        let mut file = private(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// A name beside `path`, so that a rename stays on one file system.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let dir = std::env::temp_dir().join(format!("berth-snapshot-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("host.berth");
        fs::write(&path, "old and longer").unwrap();
        replace(&path, b"new").unwrap();
        let left: Vec<_> = fs::read_dir(&dir).unwrap().collect();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!((text.as_str(), left.len()), ("new", 1));
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        assert!(replace(Path::new("/dev/null"), b"x").is_ok());
        assert!(replace(Path::new("/dev/full"), b"x").is_err());
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_folder_cannot_be_replaced() {
        assert!(replace(Path::new("/"), b"x").is_err());
    }
}
