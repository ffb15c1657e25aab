//! Filters of tc that see packets before netfilter does, or after.

use std::collections::BTreeSet;
use std::io;

use host::dump::Bypass;

use super::device::Device;
use super::on_device;
use crate::netlink::{Attributes, Messages, Netlink, Request, u32_at};
use crate::read::route::dump_settled;

/// Kernel: include/uapi/linux/rtnetlink.h, pkt_sched.h, pkt_cls.h.
const GET_QDISC: u16 = 38;
const GET_FILTER: u16 = 46;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
/// `struct tcmsg`: where the index and the parent are, and its size.
const INDEX: usize = 4;
const PARENT: usize = 12;
const TCMSG: usize = 20;
/// Where filters hang: of the old `ingress` discipline, and both ends of `clsact`.
const PARENTS: [(u32, &str); 3] = [
    (0xffff_0000, "ingress"),
    (0xffff_fff2, "ingress"),
    (0xffff_fff3, "egress"),
];

/// One line for each device and direction that has filters.
pub(super) fn filters(devices: &[Device]) -> io::Result<Vec<Bypass>> {
    let mut socket = Netlink::open_route()?;
    let disciplines = dump_settled(&mut socket, &Request::new(GET_QDISC, &[0; TCMSG]))?;
    let mut found = Vec::new();
    for discipline in Messages(&disciplines) {
        let kind = discipline
            .attributes(TCMSG)
            .text(TCA_KIND)
            .unwrap_or_default();
        let index = u32_at(discipline.payload, INDEX);
        let device = devices.iter().find(|device| Some(device.index) == index);
        let parents = match kind.as_str() {
            "ingress" => &PARENTS[..1],
            "clsact" => &PARENTS[1..],
            _ => continue,
        };
        let Some(device) = device else { continue };
        for (parent, direction) in parents {
            found.extend(at(&mut socket, device, *parent, direction)?);
        }
    }
    Ok(found)
}

fn at(
    socket: &mut Netlink,
    device: &Device,
    parent: u32,
    direction: &str,
) -> io::Result<Option<Bypass>> {
    let mut fixed = [0; TCMSG];
    fixed[INDEX..INDEX + 4].copy_from_slice(&device.index.to_ne_bytes());
    fixed[PARENT..PARENT + 4].copy_from_slice(&parent.to_ne_bytes());
    let filters = dump_settled(socket, &Request::new(GET_FILTER, &fixed))?;
    let words: BTreeSet<String> = Messages(&filters)
        .filter_map(|filter| word(filter.attributes(TCMSG)))
        .collect();
    if words.is_empty() {
        return Ok(None);
    }
    let words: Vec<String> = words.into_iter().collect();
    let what = format!("at {direction}: {}", words.join(", "));
    Ok(Some(on_device("tc", device, what)))
}

/// The kind of a filter, and the name of its program where it is one. A message without
/// options only says that a chain of filters exists.
fn word(filter: Attributes<'_>) -> Option<String> {
    filter.get(TCA_OPTIONS)?;
    let kind = filter.text(TCA_KIND)?;
    match filter.nested(TCA_OPTIONS).text(TCA_BPF_NAME) {
        Some(name) if kind == "bpf" => Some(format!("program {name}")),
        Some(_) | None => Some(format!("filter {kind}")),
    }
}
