//! Kernel settings that decide about packets, as `sysctl -a` prints them.

use std::fmt::Write as _;
use std::fs;

use host::dump::{Dump, section};

use super::keep;

/// Settings by path below `/proc/sys/net`; `*` stands for any one name.
///
/// `nf_conntrack_max` exists in the first network namespace only.
const SETTINGS: &[&str] = &[
    "bridge/bridge-nf-call-arptables",
    "bridge/bridge-nf-call-ip6tables",
    "bridge/bridge-nf-call-iptables",
    "ipv4/conf/*/accept_local",
    "ipv4/conf/*/forwarding",
    "ipv4/conf/*/log_martians",
    "ipv4/conf/*/route_localnet",
    "ipv4/conf/*/rp_filter",
    "ipv4/conf/*/src_valid_mark",
    "ipv4/fib_multipath_hash_policy",
    "ipv4/fib_multipath_use_neigh",
    "ipv4/fwmark_reflect",
    "ipv4/icmp_echo_ignore_all",
    "ipv4/icmp_msgs_per_sec",
    "ipv4/icmp_ratelimit",
    "ipv4/icmp_ratemask",
    "ipv4/ip_forward",
    "ipv4/ip_local_port_range",
    "ipv4/ip_local_reserved_ports",
    "ipv4/ip_nonlocal_bind",
    "ipv4/ip_unprivileged_port_start",
    "ipv4/tcp_l3mdev_accept",
    "ipv4/tcp_syn_retries",
    "ipv4/udp_l3mdev_accept",
    "ipv6/bindv6only",
    "ipv6/conf/*/disable_ipv6",
    "ipv6/conf/*/forwarding",
    "ipv6/fib_multipath_hash_policy",
    "ipv6/icmp/error_anycast_as_unicast",
    "ipv6/icmp/ratelimit",
    "ipv6/icmp/ratemask",
    "ipv6/ip_nonlocal_bind",
    "netfilter/nf_conntrack_acct",
    "netfilter/nf_conntrack_count",
    "netfilter/nf_conntrack_generic_timeout",
    "netfilter/nf_conntrack_icmp_timeout",
    "netfilter/nf_conntrack_icmpv6_timeout",
    "netfilter/nf_conntrack_max",
    "netfilter/nf_conntrack_tcp_be_liberal",
    "netfilter/nf_conntrack_tcp_loose",
    "netfilter/nf_conntrack_tcp_timeout_close",
    "netfilter/nf_conntrack_tcp_timeout_close_wait",
    "netfilter/nf_conntrack_tcp_timeout_established",
    "netfilter/nf_conntrack_tcp_timeout_fin_wait",
    "netfilter/nf_conntrack_tcp_timeout_last_ack",
    "netfilter/nf_conntrack_tcp_timeout_syn_recv",
    "netfilter/nf_conntrack_tcp_timeout_syn_sent",
    "netfilter/nf_conntrack_tcp_timeout_time_wait",
    "netfilter/nf_conntrack_udp_timeout",
    "netfilter/nf_conntrack_udp_timeout_stream",
];

/// Reads the settings of the calling thread's namespace: `/proc/sys/net` follows it.
pub(super) fn sysctls(dump: &mut Dump) {
    let mut lines = String::new();
    for setting in SETTINGS {
        match setting.split_once("/*/") {
            None => line(&mut lines, setting),
            Some((before, after)) => {
                for name in names(before) {
                    line(&mut lines, &format!("{before}/{name}/{after}"));
                }
            }
        }
    }
    keep(dump, section::SYSCTLS, lines.into_bytes());
}

/// Appends a setting, if it exists and may be read.
fn line(lines: &mut String, setting: &str) {
    if let Ok(value) = fs::read_to_string(format!("/proc/sys/net/{setting}")) {
        let _ = writeln!(lines, "{} = {}", dotted(setting), value.trim_end());
    }
}

fn names(dir: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/sys/net/{dir}")) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// The name as `sysctl` has it: a dot inside a device name becomes a slash.
fn dotted(setting: &str) -> String {
    let swapped = setting.chars().map(|c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    });
    let mut name = String::from("net.");
    name.extend(swapped);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_inside_a_device_name_becomes_a_slash() {
        let setting = "ipv4/conf/eth0.100/forwarding";
        assert_eq!(dotted(setting), "net.ipv4.conf.eth0/100.forwarding");
    }
}
