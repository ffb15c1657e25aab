//! BPF programs on devices, in the network namespace, and on cgroups.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use host::dump::{Bypass, Dump, section};

use super::device::Device;
use super::{everywhere, on_device};
use crate::netlink::Messages;
use crate::read::owner::cgroup_mount;
use crate::sys::{BpfTarget, bpf_attached, bpf_next_program, bpf_program};

/// Kernel: `enum bpf_attach_type` (include/uapi/linux/bpf.h).
const SK_LOOKUP: u32 = 36;
const TCX: [(u32, &str); 2] = [(46, "ingress"), (47, "egress")];
const NETKIT: [(u32, &str); 2] = [(54, "primary"), (55, "peer")];
/// What hangs on cgroups and can drop packets or send them elsewhere: attach type, its word,
/// and the type of program it takes. What runs when a socket is made or bound shows in the
/// socket table.
const CGROUP: [(u32, &str, u32); 6] = [
    (0, "ingress", CGROUP_SKB),
    (1, "egress", CGROUP_SKB),
    (10, "connect over IPv4", CGROUP_SOCK_ADDR),
    (11, "connect over IPv6", CGROUP_SOCK_ADDR),
    (14, "sendmsg of UDP over IPv4", CGROUP_SOCK_ADDR),
    (15, "sendmsg of UDP over IPv6", CGROUP_SOCK_ADDR),
];
/// Kernel: `enum bpf_prog_type`.
const CGROUP_SKB: u32 = 8;
const CGROUP_SOCK_ADDR: u32 = 18;
const NETFILTER: u32 = 32;

/// Kernel: `NFNLA_HOOK_CHAIN_INFO`, its type, and the type of BPF (nfnetlink_hook.h).
const HOOK_CHAIN_INFO: u16 = 6;
const HOOK_INFO_TYPE: u16 = 2;
const HOOK_TYPE_BPF: u32 = 2;
const GENERIC: usize = 4;

/// An XDP program sees packets of a device first.
pub(super) fn xdp(device: &Device) -> Option<Bypass> {
    let id = device.xdp?;
    let what = format!("{} sees arriving packets first", program_word(id));
    Some(on_device("XDP", device, what))
}

/// Finds programs on devices, in the namespace, at netfilter's hooks, and on the cgroups that
/// the sockets in `dump` belong to.
pub(super) fn attached(dump: &Dump, devices: &[Device], found: &mut Vec<Bypass>) -> io::Result<()> {
    for device in devices {
        let target = BpfTarget::Device(device.index);
        for (attach, direction) in TCX {
            let what = on(target, attach)?.map(|programs| format!("at {direction}: {programs}"));
            found.extend(what.map(|what| on_device("tcx", device, what)));
        }
        for (attach, end) in NETKIT.iter().filter(|_| device.kind == "netkit") {
            let what = on(target, *attach)?.map(|programs| format!("at {end}: {programs}"));
            found.extend(what.map(|what| on_device("netkit BPF", device, what)));
        }
    }
    let namespace = File::open("/proc/thread-self/ns/net")?;
    let programs = on(BpfTarget::File(namespace.as_fd()), SK_LOOKUP)?;
    let choose = |programs| format!("{programs} chooses the socket of a packet");
    found.extend(programs.map(|programs| everywhere("sk_lookup BPF", choose(programs))));
    let kinds = loaded_kinds()?;
    found.extend(at_hooks(dump, &kinds));
    on_cgroups(dump, &kinds, found);
    Ok(())
}

/// The names of the programs at one place; none where there are none, or the kernel does not
/// know the place.
fn on(target: BpfTarget<'_>, attach: u32) -> io::Result<Option<String>> {
    let ids = match bpf_attached(target, attach) {
        Ok(ids) => ids,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        // EINVAL, ENOSYS, ENODEV: an older kernel, or a device that has just gone.
        Err(_) => Vec::new(),
    };
    let words: Vec<String> = ids.into_iter().map(program_word).collect();
    Ok((!words.is_empty()).then(|| words.join(", ")))
}

fn program_word(id: u32) -> String {
    match bpf_program(id) {
        Ok(program) => {
            let end = program.name.iter().position(|&b| b == 0).unwrap_or(16);
            let name = String::from_utf8_lossy(&program.name[..end]);
            format!("program {id} {name}").trim_end().to_owned()
        }
        Err(_) => format!("program {id}"),
    }
}

/// How many programs of each type are loaded, anywhere on the machine.
fn loaded_kinds() -> io::Result<BTreeMap<u32, usize>> {
    let mut kinds = BTreeMap::new();
    let mut last = 0;
    while let Some(id) = bpf_next_program(last)? {
        // One that has just gone is no matter.
        if let Ok(program) = bpf_program(id) {
            *kinds.entry(program.kind).or_insert(0) += 1;
        }
        last = id;
    }
    Ok(kinds)
}

/// Programs at netfilter's own hooks: from the list of hooks, else from what is loaded.
fn at_hooks(dump: &Dump, kinds: &BTreeMap<u32, usize>) -> Option<Bypass> {
    let hooks = dump.section(section::NFT_HOOKS);
    let count = if hooks.is_empty() {
        kinds.get(&NETFILTER).copied().unwrap_or(0)
    } else {
        let hooks = Messages(hooks).map(|hook| hook.attributes(GENERIC).nested(HOOK_CHAIN_INFO));
        hooks
            .filter(|info| info.be32(HOOK_INFO_TYPE) == Some(HOOK_TYPE_BPF))
            .count()
    };
    let what = format!("{count} programs at netfilter's hooks");
    (count > 0).then(|| everywhere("netfilter BPF", what))
}

/// Programs on cgroups. Only those above the sockets that were read matter, and the root.
fn on_cgroups(dump: &Dump, kinds: &BTreeMap<u32, usize>, found: &mut Vec<Bypass>) {
    let places: Vec<_> = CGROUP
        .iter()
        .filter(|(_, _, kind)| kinds.contains_key(kind))
        .collect();
    let Some(mount) = cgroup_mount().filter(|_| !places.is_empty()) else {
        return;
    };
    for path in cgroups_above(&dump.text(section::CGROUPS)) {
        let Ok(cgroup) = File::open(mount.join(path.trim_start_matches('/'))) else {
            continue;
        };
        for (attach, place, _) in &places {
            let Ok(Some(programs)) = on(BpfTarget::File(cgroup.as_fd()), *attach) else {
                continue;
            };
            let what = format!("on {path} at {place}: {programs}");
            found.push(Bypass {
                cgroup: Some(path.clone()),
                ..everywhere("cgroup BPF", what)
            });
        }
    }
}

/// The cgroups of a section, all above them, and the root.
fn cgroups_above(section: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::from(["/".to_owned()]);
    for (_, path) in section.lines().filter_map(|line| line.split_once(' ')) {
        let above = Path::new(path).ancestors();
        all.extend(above.map(|path| path.to_string_lossy().into_owned()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_on_all_cgroups_above_a_socket() {
        let all = cgroups_above("1 /\n77 /kubepods/podA\n");
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(all, ["/", "/kubepods", "/kubepods/podA"]);
    }
}
