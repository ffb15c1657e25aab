//! What is registered at the hooks of netfilter, in calling order.

use std::io;

use host::dump::{Dump, section};
use rustix::net::netlink::NETFILTER;

use super::modules::Presence;
use super::{Reader, keep, missed, reason};
use crate::netlink::{Netlink, Request};

/// Kernel: include/uapi/linux/netfilter/nfnetlink_hook.h.
const GET: u16 = 12 << 8;
const HOOK_NUMBER: u16 = 1;
/// Families and how many hooks each has: IPv4, IPv6, ARP, bridge. `inet` is refused.
const FAMILIES: [(u8, u32); 4] = [(2, 5), (10, 5), (3, 3), (7, 6)];

impl Reader<'_> {
    /// Reads the hooks, where the kernel can list them: it is an option of its build.
    pub(super) fn hooks(&self, dump: &mut Dump) {
        let present = self.modules.all(&["nfnetlink", "nfnetlink_hook"]);
        if present != Presence::There {
            return;
        }
        match read_hooks() {
            Ok(hooks) if hooks.is_empty() => {}
            Ok(hooks) => keep(dump, section::NFT_HOOKS, hooks),
            Err(error) => missed(dump, "netfilter hooks", reason(&error, "CAP_NET_ADMIN")),
        }
    }
}

fn read_hooks() -> io::Result<Vec<u8>> {
    let mut socket = Netlink::open(NETFILTER)?;
    let mut hooks = Vec::new();
    for (family, count) in FAMILIES {
        for hook in 0..count {
            let request =
                Request::new(GET, &[family, 0, 0, 0]).attribute(HOOK_NUMBER, &hook.to_be_bytes());
            match socket.dump(request, &mut hooks) {
                Ok(_) => {}
                // Not built, or a family that is not.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(hooks)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT)
    )
}
