//! The names iptables has for numbers: flags, states, address types, ICMP, services.

/// TCP flags by bit.
pub(crate) const TCP_FLAGS: [(&str, u8); 6] = [
    ("FIN", 1),
    ("SYN", 2),
    ("RST", 4),
    ("PSH", 8),
    ("ACK", 16),
    ("URG", 32),
];

/// Connection states by the bit of `xt_conntrack.h`, in the order iptables prints them.
pub(crate) const CT_STATES: [(&str, u32); 7] = [
    ("INVALID", 1),
    ("NEW", 8),
    ("RELATED", 4),
    ("ESTABLISHED", 2),
    ("UNTRACKED", 0x100),
    ("SNAT", 0x40),
    ("DNAT", 0x80),
];

/// Connection status by bit.
pub(crate) const CT_STATUS: [(&str, u32); 4] = [
    ("EXPECTED", 1),
    ("SEEN_REPLY", 2),
    ("ASSURED", 4),
    ("CONFIRMED", 8),
];

/// Address types, each at its number.
pub(crate) const ADDR_TYPES: [&str; 12] = [
    "UNSPEC",
    "UNICAST",
    "LOCAL",
    "BROADCAST",
    "ANYCAST",
    "MULTICAST",
    "BLACKHOLE",
    "UNREACHABLE",
    "PROHIBIT",
    "THROW",
    "NAT",
    "XRESOLVE",
];

/// ICMP codes that `REJECT` sends: name, old name, code.
pub(crate) const REJECT_ICMP: [(&str, &str, u8); 7] = [
    ("icmp-net-unreachable", "net-unreach", 0),
    ("icmp-host-unreachable", "host-unreach", 1),
    ("icmp-proto-unreachable", "proto-unreach", 2),
    ("icmp-port-unreachable", "port-unreach", 3),
    ("icmp-net-prohibited", "net-prohib", 9),
    ("icmp-host-prohibited", "host-prohib", 10),
    ("icmp-admin-prohibited", "admin-prohib", 13),
];

/// ICMPv6 codes that `REJECT` sends: name, old name, code.
pub(crate) const REJECT_ICMP6: [(&str, &str, u8); 6] = [
    ("icmp6-no-route", "no-route", 0),
    ("icmp6-adm-prohibited", "adm-prohibited", 1),
    ("icmp6-addr-unreachable", "addr-unreach", 3),
    ("icmp6-port-unreachable", "port-unreach", 4),
    ("icmp6-policy-fail", "policy-fail", 5),
    ("icmp6-reject-route", "reject-route", 6),
];

/// A type and the codes from the first to the second.
pub(crate) type IcmpCodes = (u8, (u8, u8));

/// Every code of a type.
const ALL: (u8, u8) = (0, 255);

/// ICMP types and codes by name.
const ICMP: &[(&str, IcmpCodes)] = &[
    ("any", (255, ALL)),
    ("echo-reply", (0, ALL)),
    ("pong", (0, ALL)),
    ("destination-unreachable", (3, ALL)),
    ("network-unreachable", (3, (0, 0))),
    ("host-unreachable", (3, (1, 1))),
    ("protocol-unreachable", (3, (2, 2))),
    ("port-unreachable", (3, (3, 3))),
    ("fragmentation-needed", (3, (4, 4))),
    ("source-route-failed", (3, (5, 5))),
    ("network-unknown", (3, (6, 6))),
    ("host-unknown", (3, (7, 7))),
    ("network-prohibited", (3, (9, 9))),
    ("host-prohibited", (3, (10, 10))),
    ("TOS-network-unreachable", (3, (11, 11))),
    ("TOS-host-unreachable", (3, (12, 12))),
    ("communication-prohibited", (3, (13, 13))),
    ("host-precedence-violation", (3, (14, 14))),
    ("precedence-cutoff", (3, (15, 15))),
    ("source-quench", (4, ALL)),
    ("redirect", (5, ALL)),
    ("network-redirect", (5, (0, 0))),
    ("host-redirect", (5, (1, 1))),
    ("TOS-network-redirect", (5, (2, 2))),
    ("TOS-host-redirect", (5, (3, 3))),
    ("echo-request", (8, ALL)),
    ("ping", (8, ALL)),
    ("router-advertisement", (9, ALL)),
    ("router-solicitation", (10, ALL)),
    ("time-exceeded", (11, ALL)),
    ("ttl-exceeded", (11, ALL)),
    ("ttl-zero-during-transit", (11, (0, 0))),
    ("ttl-zero-during-reassembly", (11, (1, 1))),
    ("parameter-problem", (12, ALL)),
    ("ip-header-bad", (12, (0, 0))),
    ("required-option-missing", (12, (1, 1))),
    ("timestamp-request", (13, ALL)),
    ("timestamp-reply", (14, ALL)),
    ("address-mask-request", (17, ALL)),
    ("address-mask-reply", (18, ALL)),
];

/// ICMPv6 types and codes by name.
const ICMP6: &[(&str, IcmpCodes)] = &[
    ("destination-unreachable", (1, ALL)),
    ("no-route", (1, (0, 0))),
    ("communication-prohibited", (1, (1, 1))),
    ("beyond-scope", (1, (2, 2))),
    ("address-unreachable", (1, (3, 3))),
    ("port-unreachable", (1, (4, 4))),
    ("failed-policy", (1, (5, 5))),
    ("reject-route", (1, (6, 6))),
    ("packet-too-big", (2, ALL)),
    ("time-exceeded", (3, ALL)),
    ("ttl-exceeded", (3, ALL)),
    ("ttl-zero-during-transit", (3, (0, 0))),
    ("ttl-zero-during-reassembly", (3, (1, 1))),
    ("parameter-problem", (4, ALL)),
    ("bad-header", (4, (0, 0))),
    ("unknown-header-type", (4, (1, 1))),
    ("unknown-option", (4, (2, 2))),
    ("echo-request", (128, ALL)),
    ("ping", (128, ALL)),
    ("echo-reply", (129, ALL)),
    ("pong", (129, ALL)),
    ("mld-listener-query", (130, ALL)),
    ("mld-listener-report", (131, ALL)),
    ("mld-listener-done", (132, ALL)),
    ("mld-listener-reduction", (132, ALL)),
    ("router-solicitation", (133, ALL)),
    ("router-advertisement", (134, ALL)),
    ("neighbour-solicitation", (135, ALL)),
    ("neighbor-solicitation", (135, ALL)),
    ("neighbour-advertisement", (136, ALL)),
    ("neighbor-advertisement", (136, ALL)),
    ("redirect", (137, ALL)),
];

/// Services as people name them in rules; the rest of `/etc/services` is not known here.
const SERVICES: &[(&str, u16)] = &[
    ("amanda", 10080),
    ("auth", 113),
    ("bgp", 179),
    ("bootpc", 68),
    ("bootps", 67),
    ("discard", 9),
    ("domain", 53),
    ("echo", 7),
    ("epmap", 135),
    ("finger", 79),
    ("ftp", 21),
    ("ftp-data", 20),
    ("ftps", 990),
    ("git", 9418),
    ("gopher", 70),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("ident", 113),
    ("imap", 143),
    ("imap2", 143),
    ("imap3", 220),
    ("imaps", 993),
    ("ipp", 631),
    ("irc", 194),
    ("isakmp", 500),
    ("kerberos", 88),
    ("l2tp", 1701),
    ("ldap", 389),
    ("ldaps", 636),
    ("mdns", 5353),
    ("microsoft-ds", 445),
    ("ms-sql-s", 1433),
    ("mysql", 3306),
    ("netbios-dgm", 138),
    ("netbios-ns", 137),
    ("netbios-ssn", 139),
    ("nfs", 2049),
    ("nntp", 119),
    ("ntp", 123),
    ("openvpn", 1194),
    ("pop2", 109),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgresql", 5432),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("rsync", 873),
    ("rtsp", 554),
    ("shell", 514),
    ("sip", 5060),
    ("sip-tls", 5061),
    ("smtp", 25),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("snmptrap", 162),
    ("socks", 1080),
    ("ssh", 22),
    ("submission", 587),
    ("submissions", 465),
    ("sunrpc", 111),
    ("svn", 3690),
    ("syslog", 514),
    ("syslog-tls", 6514),
    ("telnet", 23),
    ("telnets", 992),
    ("tftp", 69),
    ("time", 37),
    ("webcache", 8080),
    ("whois", 43),
    ("www", 80),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("zabbix-agent", 10050),
    ("zabbix-trapper", 10051),
];

/// The port of a service.
pub(crate) fn service_port(name: &str) -> Option<u16> {
    let found = SERVICES.iter().find(|(known, _)| *known == name);
    found.map(|(_, port)| *port)
}

/// ICMP type and codes by name.
pub(super) fn icmp(name: &str, is_v6: bool) -> Option<IcmpCodes> {
    let table = if is_v6 { ICMP6 } else { ICMP };
    let found = table
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, codes)| *codes)
}

/// The number of an address type.
pub(super) fn addr_type(name: &str) -> Option<usize> {
    ADDR_TYPES
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))
}

/// Bits named in a list with commas.
pub(super) fn bits(list: &str, names: &[(&str, u32)]) -> Option<u32> {
    list.split(',').try_fold(0, |bits, name| {
        let found = names
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, bit)| bits | bit)
    })
}
