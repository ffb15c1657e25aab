//! Files and pipes that are read whole, up to a size that no host's own data has.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes that are read: all that is read takes several times its size in memory.
/// A listing of 5,000 Services has ten megabytes.
const LARGEST: u64 = 1 << 30;

/// The bytes of a file; `-` is stdin where `may_be_stdin`.
pub(crate) fn whole(path: &Path, may_be_stdin: bool) -> io::Result<Vec<u8>> {
    if may_be_stdin && path == Path::new("-") {
        up_to(LARGEST, io::stdin().lock())
    } else {
        up_to(LARGEST, File::open(path)?)
    }
}

fn up_to(largest: u64, source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = source.take(largest + 1).read_to_end(&mut bytes)?;
    if read as u64 > largest {
        let why = "it goes on after 1 GiB, and no host prints as much";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused_and_what_just_fits_is_read() {
        assert_eq!(up_to(3, &b"abc"[..]).unwrap(), b"abc");
        let error = up_to(3, io::repeat(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
