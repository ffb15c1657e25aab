//! Writes what fuzzing starts from into a folder for each target: `seeds FOLDER`.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let usage = || io::Error::other("usage: seeds FOLDER");
    let root: PathBuf = env::args_os().nth(1).ok_or_else(usage)?.into();
    for target in fuzz::TARGETS {
        let folder = root.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, bytes) in fuzz::seeds::of(target.name)?.iter().enumerate() {
            fs::write(folder.join(number.to_string()), bytes)?;
        }
    }
    Ok(())
}
