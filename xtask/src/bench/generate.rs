//! Inputs that are made, not recorded: listeners, and rules for as many Services as wanted.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// A port of a Service, as kube-proxy's NodePorts begin.
const NODE_PORTS: u32 = 30_000;
/// How many numbers there are for NodePorts.
const RANGE: u32 = 2_768;

/// Writes what `ss -tulpen` says of so many listeners, from port 2000 on.
pub(super) fn sockets(to: &Path, count: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    for number in 0..count {
        let (port, pid) = (2_000 + number, 10_000 + number);
        writeln!(
            out,
            "tcp LISTEN 0 128 0.0.0.0:{port} 0.0.0.0:* users:((\"web{number}\",pid={pid},fd=3))"
        )?;
    }
    out.flush()
}

/// Writes what `conntrack -L` says of so many connections to the listeners of [`sockets`].
pub(super) fn tracked(to: &Path, count: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    for number in 0..count {
        let (port, sport) = (2_000 + number % 501, 20_000 + number / 501);
        let client = format!("10.{}.{}.7", 1 + number / 250 % 250, number % 250);
        writeln!(
            out,
            "tcp      6 431999 ESTABLISHED src={client} dst=192.168.77.1 sport={sport} \
             dport={port} src=192.168.77.1 dst={client} sport={port} dport={sport} [ASSURED] \
             mark=0 use=1"
        )?;
    }
    out.flush()
}

/// Writes the rules of an iptables-mode kube-proxy for so many Services, each with two
/// endpoints, and a NodePort as long as there are any.
pub(super) fn iptables(to: &Path, count: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    out.write_all(
        b"*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
          :POSTROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n\
          :KUBE-POSTROUTING - [0:0]\n:KUBE-SERVICES - [0:0]\n",
    )?;
    for i in 0..count {
        writeln!(out, ":KUBE-SVC-{i:016} - [0:0]")?;
        writeln!(
            out,
            ":KUBE-SEP-A{i:015} - [0:0]\n:KUBE-SEP-B{i:015} - [0:0]"
        )?;
    }
    out.write_all(
        b"-A PREROUTING -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\n\
          -A POSTROUTING -j KUBE-POSTROUTING\n-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n\
          -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
          -A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n\
          -A KUBE-POSTROUTING -j MASQUERADE --random-fully\n",
    )?;
    for i in 0..count {
        service(&mut out, i)?;
    }
    out.write_all(b"-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT\n")?;
    out.flush()
}

fn service(out: &mut impl io::Write, i: u32) -> io::Result<()> {
    let name = format!("-p tcp -m comment --comment \"ns-{}/svc-{i}:http\"", i % 50);
    let (high, low) = (i / 250, i % 250);
    let svc = format!("KUBE-SVC-{i:016}");
    writeln!(
        out,
        "-A KUBE-SERVICES -d {}/32 {name} -m tcp --dport 80 -j {svc}",
        cluster_ip(i),
    )?;
    if i < RANGE {
        let port = NODE_PORTS + i;
        writeln!(
            out,
            "-A KUBE-NODEPORTS {name} -m tcp --dport {port} -j KUBE-MARK-MASQ"
        )?;
        writeln!(
            out,
            "-A KUBE-NODEPORTS {name} -m tcp --dport {port} -j {svc}"
        )?;
    }
    writeln!(
        out,
        "-A {svc} {name} -m statistic --mode random --probability 0.5 -j KUBE-SEP-A{i:015}"
    )?;
    writeln!(out, "-A {svc} {name} -j KUBE-SEP-B{i:015}")?;
    for (at, letter) in ["A", "B"].iter().enumerate() {
        let to = format!("172.{}.{}.{low}", 16 + at, high % 250);
        writeln!(
            out,
            "-A KUBE-SEP-{letter}{i:015} -s {to}/32 {name} -j KUBE-MARK-MASQ"
        )?;
        writeln!(
            out,
            "-A KUBE-SEP-{letter}{i:015} {name} -j DNAT --to-destination {to}:8080"
        )?;
    }
    Ok(())
}

/// The table of an nftables-mode kube-proxy, without what its Services change.
const NFT_CHAINS: &str = "\
\tchain filter-input {
\t\ttype filter hook input priority filter; policy accept;
\t\tct state new jump nodeport-endpoints-check
\t\tct state new jump service-endpoints-check
\t}
\tchain filter-output {
\t\ttype filter hook output priority filter; policy accept;
\t\tct state new jump service-endpoints-check
\t}
\tchain nat-prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tjump services
\t}
\tchain nat-output {
\t\ttype nat hook output priority -100; policy accept;
\t\tjump services
\t}
\tchain nat-postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tmeta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
\t}
\tchain nodeport-endpoints-check {
\t\tip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
\t}
\tchain service-endpoints-check {
\t\tip daddr . meta l4proto . th dport vmap @no-endpoint-services
\t}
\tchain services {
\t\tip daddr . meta l4proto . th dport vmap @service-ips
\t\tip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
\t}
";

/// Writes what `nft list ruleset` says of an nftables-mode kube-proxy with so many Services,
/// each with three endpoints, and a NodePort as long as there are any.
pub(super) fn nft(to: &Path, count: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(to)?);
    out.write_all(
        b"table ip kube-proxy {\n\tset nodeport-ips {\n\t\ttype ipv4_addr\n\t\telements = { \
          192.168.77.1 }\n\t}\n\tmap no-endpoint-services {\n\t\ttype ipv4_addr . inet_proto . \
          inet_service : verdict\n\t}\n\tmap no-endpoint-nodeports {\n\t\ttype inet_proto . \
          inet_service : verdict\n\t}\n\tmap service-ips {\n\t\ttype ipv4_addr . inet_proto . \
          inet_service : verdict\n\t\telements = { ",
    )?;
    for i in 0..count {
        let (name, addr) = (nft_name(i), cluster_ip(i));
        writeln!(out, "{addr} . tcp . 80 : goto service-{name},")?;
    }
    out.write_all(
        b"}\n\t}\n\tmap service-nodeports {\n\t\ttype inet_proto . inet_service : verdict\n\t\t\
          elements = { ",
    )?;
    for i in 0..count.min(RANGE) {
        let (name, port) = (nft_name(i), NODE_PORTS + i);
        writeln!(out, "tcp . {port} : goto external-{name},")?;
    }
    write!(out, "}}\n\t}}\n{NFT_CHAINS}")?;
    for i in 0..count {
        let (name, high, low) = (nft_name(i), i / 250, i % 250);
        let end = |n: u32| format!("{n} : 10.{}.{}.{low} . 8080", 128 + n, high % 250);
        let ends = [0, 1, 2].map(end).join(", ");
        writeln!(
            out,
            "\tchain service-{name} {{\n\t\tmeta l4proto tcp dnat ip to numgen random mod 3 map {{ \
             {ends} }}\n\t}}"
        )?;
        if i < RANGE {
            writeln!(
                out,
                "\tchain external-{name} {{\n\t\tmeta mark set meta mark | 0x00004000\n\t\tgoto \
                 service-{name}\n\t}}"
            )?;
        }
    }
    out.write_all(b"}\n")?;
    out.flush()
}

/// As kube-proxy calls the chains of a Service, behind what they are for.
fn nft_name(i: u32) -> String {
    format!("{i:08}-ns-{}/svc-{i}/tcp/http", i % 50)
}

fn cluster_ip(i: u32) -> String {
    let (high, low) = (i / 250, i % 250);
    format!("10.{}.{}.{low}", 96 + high / 250, high % 250)
}
