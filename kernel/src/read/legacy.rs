//! Legacy iptables tables: those that exist, and never any other.
//!
//! Kernel: asking for a table that does not exist yet makes it and registers its hooks
//! (`xt_find_table_lock`, net/netfilter/x_tables.c). So the list of names is read first.

use std::fs;
use std::io;
use std::os::fd::AsFd;

use host::dump::{Dump, section};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{keep, missed, reason};
use crate::netlink::u32_at;
use crate::sys::socket_option;

/// Kernel: include/uapi/linux/netfilter_ipv4/ip_tables.h; the same numbers for IPv6.
const GET_INFO: i32 = 64;
const GET_ENTRIES: i32 = 65;
/// `struct ipt_getinfo`; the table's size is its last field.
const INFO: usize = 84;
const INFO_SIZE: usize = 80;
/// `struct ipt_get_entries` before the entries.
const ENTRIES: usize = 40;
/// Longest table name with its NUL.
const NAME: usize = 32;
/// How often a table that is replaced meanwhile is read again.
const ATTEMPTS: usize = 8;

/// Reads the legacy tables of both families.
pub(super) fn legacy(dump: &mut Dump) {
    let v4 = (AddressFamily::INET, libc::SOL_IP);
    let v6 = (AddressFamily::INET6, libc::SOL_IPV6);
    let names = "/proc/thread-self/net/ip_tables_names";
    read_family(dump, names, section::LEGACY_IP, v4);
    let names = "/proc/thread-self/net/ip6_tables_names";
    read_family(dump, names, section::LEGACY_IP6, v6);
}

fn read_family(dump: &mut Dump, names: &str, prefix: &str, place: (AddressFamily, i32)) {
    let names = match fs::read_to_string(names) {
        Ok(names) => names,
        // ip_tables is not there, so no table is.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let what = format!("legacy tables of {}", family_word(place.1));
            return missed(dump, &what, reason(&error, "CAP_NET_ADMIN and user id 0"));
        }
    };
    for table in names.lines() {
        match read_table(table, place) {
            Ok(bytes) => keep(dump, &format!("{prefix}{table}"), bytes),
            Err(error) => {
                let what = format!("legacy table {table} of {}", family_word(place.1));
                missed(dump, &what, reason(&error, "CAP_NET_ADMIN"));
            }
        }
    }
}

fn family_word(level: i32) -> &'static str {
    if level == libc::SOL_IP {
        "IPv4"
    } else {
        "IPv6"
    }
}

/// The answers of both options, one behind the other.
fn read_table(table: &str, (family, level): (AddressFamily, i32)) -> io::Result<Vec<u8>> {
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let info = || -> io::Result<[u8; INFO]> {
        let mut info = [0; INFO];
        put_name(&mut info, table)?;
        socket_option(socket.as_fd(), level, GET_INFO, &mut info)?;
        Ok(info)
    };
    let mut before = info()?;
    for _ in 0..ATTEMPTS {
        let size = u32_at(&before, INFO_SIZE).unwrap_or(0);
        let mut answer = vec![0; INFO + ENTRIES + size as usize];
        answer[..INFO].copy_from_slice(&before);
        let entries = &mut answer[INFO..];
        put_name(entries, table)?;
        entries[NAME..NAME + 4].copy_from_slice(&size.to_ne_bytes());
        let got = socket_option(socket.as_fd(), level, GET_ENTRIES, entries);
        let after = info()?;
        match got {
            Ok(_) if after == before => return Ok(answer),
            Ok(_) => {}
            // The table was replaced by one of another size.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(error) => return Err(error),
        }
        before = after;
    }
    Err(io::Error::other("it was replaced during each reading"))
}

fn put_name(buffer: &mut [u8], table: &str) -> io::Result<()> {
    let name = table.as_bytes();
    if name.len() >= NAME {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    buffer[..name.len()].copy_from_slice(name);
    Ok(())
}
