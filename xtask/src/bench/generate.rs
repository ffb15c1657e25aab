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

/// Writes the rules of an iptables-mode kube-proxy for so many Services, each with two
/// endpoints, and a NodePort as long as there are any.
pub(super) fn services(to: &Path, count: u32) -> io::Result<()> {
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
        "-A KUBE-SERVICES -d 10.{}.{}.{low}/32 {name} -m tcp --dport 80 -j {svc}",
        96 + high / 250,
        high % 250,
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
