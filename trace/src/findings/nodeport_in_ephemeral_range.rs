//! A NodePort that the kernel may give to any client of this host.

use host::Sysctls;

use super::common::doc::documented;
use super::common::sight::{Frontend, Sight};
use super::common::words;
use super::{Finding, FindingDoc, Fix, Severity};

documented! {
    /// A NodePort lies in the range that the kernel takes ports of local clients
    /// from.
    ///
    /// # You see
    /// Nothing, most of the time. A connection that this host opens gets the
    /// number by chance as its own port; a program that starts later cannot
    /// bind it; and answers to such a client may meet the rules of the Service.
    /// # Check by hand
    /// `sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports`
    /// and `kubectl get service -A -o wide` side by side. The API server's
    /// range is its option `--service-node-port-range`, by default 30000-32767;
    /// the kernel's begins at 32768.
    /// # Put it right
    /// Keep the two apart: move `ip_local_port_range` up, or write the NodePort
    /// range into `net.ipv4.ip_local_reserved_ports`.
    pub(crate) const DOC: FindingDoc = "nodeport-in-ephemeral-range";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let service = sight.outcome.service.as_ref()?;
    let port = sight.question.to.port;
    let sysctls = &sight.host.sysctls;
    if sight.frontend(service) != Frontend::NodePort || !sysctls.may_be_picked(port) {
        return None;
    }
    let (first, last) = sysctls.ephemeral_ports();
    let why = vec![
        words::has_frontend(sight, service),
        format!("this host's own clients get ports from {first} to {last}"),
    ];
    Some(Finding {
        severity: Severity::Warning,
        fix: Some(Fix {
            say: "keep the kernel from picking it".to_owned(),
            command: reserved(sysctls, port)
                .map(|list| format!("sysctl -w net.ipv4.ip_local_reserved_ports={list}")),
        }),
        check: Some(
            "sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports".to_owned(),
        ),
        ..sight.finding(
            &DOC,
            format!("NodePort {port} may be given to any client of this host"),
            why,
        )
    })
}

/// The reserved ports with one more; absent where what was read of them is no list of ports,
/// which a file from elsewhere may have in its place.
fn reserved(sysctls: &Sysctls, port: u16) -> Option<String> {
    let list = sysctls
        .get("net.ipv4.ip_local_reserved_ports")
        .unwrap_or_default();
    let is_listed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b'-');
    match list {
        "" => Some(port.to_string()),
        list => list
            .bytes()
            .all(is_listed)
            .then(|| format!("{list},{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES_WITH_ENDPOINTS, World};

    #[test]
    fn a_node_port_among_the_ports_of_clients_is_a_warning() {
        let mut world = World::of(RULES_WITH_ENDPOINTS, &[]);
        let range = "net.ipv4.ip_local_port_range";
        assert_eq!(world.codes("192.168.77.1:31081"), [""; 0]);
        world.host.sysctls.insert(range, "1024 60999");
        let found = world.findings("192.168.77.1:31081");
        assert_eq!(found[0].code, "nodeport-in-ephemeral-range");
        let command = found[0].fix.as_ref().unwrap().command.as_deref();
        assert_eq!(
            command,
            Some("sysctl -w net.ipv4.ip_local_reserved_ports=31081")
        );
        let reserved = "net.ipv4.ip_local_reserved_ports";
        world.host.sysctls.insert(reserved, "80; reboot #");
        let found = world.findings("192.168.77.1:31081");
        assert_eq!(found[0].fix.as_ref().unwrap().command, None);
        world.host.sysctls.insert(reserved, "80,30000-32767");
        assert_eq!(world.codes("192.168.77.1:31081"), [""; 0]);
    }
}
