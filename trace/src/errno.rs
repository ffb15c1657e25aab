//! What a client sees of a rejection.

use host::xt::RejectWith;
use net::Proto;

use crate::answer::{Cause, Client, Verdict};

/// An error of connect(), or of a connected UDP socket, and whether it is a soft one that
/// such a socket does not report (icmp.c, icmp_err_convert; icmpv6_err_convert).
fn error(with: RejectWith) -> (&'static str, bool) {
    match with {
        RejectWith::TcpReset => ("ECONNREFUSED", false),
        RejectWith::Icmp(code) => match code {
            0 | 11 => ("ENETUNREACH", true),
            1 | 12 => ("EHOSTUNREACH", true),
            2 => ("ENOPROTOOPT", false),
            3 => ("ECONNREFUSED", false),
            6 | 9 => ("ENETUNREACH", false),
            7 => ("EHOSTDOWN", false),
            8 => ("ENONET", false),
            _ => ("EHOSTUNREACH", false),
        },
        RejectWith::Icmp6(code) => match code {
            0 => ("ENETUNREACH", true),
            4 => ("ECONNREFUSED", false),
            1 | 5 | 6 => ("EACCES", false),
            _ => ("EHOSTUNREACH", true),
        },
    }
}

/// What a rejection that reaches the client means to it.
pub(crate) fn seen(with: RejectWith, proto: Proto) -> (Verdict, Client) {
    let (name, is_soft) = error(with);
    let verdict = if name == "ECONNREFUSED" {
        Verdict::Refused
    } else {
        Verdict::Rejected
    };
    if is_soft && proto != Proto::TCP {
        return (verdict, Client::Timeout);
    }
    (verdict, Client::Errno(name))
}

/// What a local process gets at once where routing refuses its packet.
pub(crate) fn at_once(cause: &Cause) -> Client {
    Client::Errno(match cause {
        Cause::Unreachable => "EHOSTUNREACH",
        Cause::Prohibited => "EACCES",
        Cause::Blackhole | Cause::Martian => "EINVAL",
        Cause::NoRoute
        | Cause::NotUnicast
        | Cause::WrongSource
        | Cause::Socket
        | Cause::Leaves
        | Cause::RuleDrops
        | Cause::RuleRejects(_)
        | Cause::PolicyDrops
        | Cause::NothingListens
        | Cause::BoundOnly
        | Cause::ForwardingOff
        | Cause::ReversePath
        | Cause::AnswerLost(_)
        | Cause::HandshakeLost(_)
        | Cause::Gap => "ENETUNREACH",
    })
}
