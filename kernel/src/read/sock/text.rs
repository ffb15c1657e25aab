//! The socket tables in `/proc`, put into the form of socket dumps.
//!
//! For hosts on which the module that dumps sockets is not loaded: asking would load it.

use std::fs;

use host::dump::Dump;

use super::super::{keep, missed};
use super::{BY_FAMILY, section_name};
use crate::netlink::Request;

const TCP_LISTEN: u8 = 10;

/// Reads the tables of one protocol for both families.
pub(super) fn read(dump: &mut Dump, proto: u8, what: &str) {
    let name = if proto == 6 { "tcp" } else { "udp" };
    for (family, suffix) in [(2_u8, ""), (10, "6")] {
        let path = format!("/proc/thread-self/net/{name}{suffix}");
        // Absent where the family is switched off.
        if let Ok(table) = fs::read_to_string(path) {
            keep(
                dump,
                &section_name(family, proto),
                messages(&table, family, proto),
            );
        }
    }
    let why = format!(
        "kernel module {name}_diag is not known to be loaded, and asking would load it: \
         devices of sockets, and sockets bound without listening, are not seen"
    );
    missed(dump, what, why);
}

fn messages(table: &str, family: u8, proto: u8) -> Vec<u8> {
    let lines = table.lines().skip(1);
    let sockets = lines.filter_map(|line| message(line, family));
    sockets
        .filter(|fixed| proto != 6 || fixed[1] == TCP_LISTEN)
        .flat_map(|fixed| Request::new(BY_FAMILY, &fixed).into_bytes(0))
        .collect()
}

/// `struct inet_diag_msg` of one line; none for a line of another form.
fn message(line: &str, family: u8) -> Option<Vec<u8>> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (src, sport) = endpoint(fields.next()?)?;
    let (dst, dport) = endpoint(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let (send, receive) = fields.next()?.split_once(':')?;
    let queue = |hex: &str| u32::from_str_radix(hex, 16).ok();
    let uid: u32 = fields.nth(2)?.parse().ok()?;
    let inode: u32 = fields.nth(1)?.parse().ok()?;

    let mut fixed = vec![family, state, 0, 0];
    fixed.extend_from_slice(&sport.to_be_bytes());
    fixed.extend_from_slice(&dport.to_be_bytes());
    fixed.extend_from_slice(&src);
    fixed.extend_from_slice(&dst);
    fixed.extend_from_slice(&[0; 4]);
    // No cookie: INET_DIAG_NOCOOKIE is all ones (include/uapi/linux/inet_diag.h).
    fixed.extend_from_slice(&[0xff; 8]);
    for number in [0, queue(receive)?, queue(send)?, uid, inode] {
        fixed.extend_from_slice(&number.to_ne_bytes());
    }
    Some(fixed)
}

/// An address in 16 bytes, and a port. Kernel: words in the host's order (net/ipv4/tcp_ipv4.c).
fn endpoint(text: &str) -> Option<([u8; 16], u16)> {
    let (addr, port) = text.split_once(':')?;
    let mut bytes = [0; 16];
    for (word, at) in (0..addr.len()).step_by(8).zip((0..16).step_by(4)) {
        let value = u32::from_str_radix(addr.get(word..word + 8)?, 16).ok()?;
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    Some((bytes, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_becomes_a_message_of_the_dump() {
        let word = u32::from_ne_bytes([127, 0, 0, 1]);
        let line = format!(
            "   0: {word:08X}:0016 00000000:0000 0A 00000000:00000003 00:00000000 00000000  \
             1000        0 4711 1 0000000000000000 100 0 0 10 0"
        );
        let table = format!("  sl  local_address\n{line}\n");
        let bytes = messages(&table, 2, 6);
        let message = &bytes[16..];
        assert_eq!(message.len(), 72);
        assert_eq!(message[..12], [2, 10, 0, 0, 0, 22, 0, 0, 127, 0, 0, 1]);
        assert_eq!(message[56..60], 3_u32.to_ne_bytes());
        assert_eq!(message[64..68], 1000_u32.to_ne_bytes());
        assert_eq!(message[68..72], 4711_u32.to_ne_bytes());
    }
}
