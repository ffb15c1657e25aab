//! A process waits at an address that this host does not have.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix, Severity};

documented! {
    /// A process listens on an address that is no address of this host.
    ///
    /// # You see
    /// `ss` shows the process listening, and nobody gets through to it: the
    /// address was removed, or is on another node (a virtual address of
    /// keepalived or kube-vip that moved), or the program was allowed to bind
    /// it before it is there (`ip_nonlocal_bind`, `IP_FREEBIND`).
    /// # Check by hand
    /// `ip address | grep -w ADDRESS` lists nothing; `ss -tlnp` shows the
    /// socket.
    /// # Put it right
    /// Add the address, wait for it to come, or let the program listen on one
    /// that is here.
    pub(crate) const DOC: FindingDoc = "address-not-here";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let to = sight.question.to;
    if sight.is_own(to.addr) || !sight.is_known() {
        return None;
    }
    let socket = sight
        .listeners(to.port)
        .find(|socket| socket.addr == to.addr)?;
    let holder = words::holder(socket);
    let why = vec![format!(
        "packets to {} are not for this host, so no socket of it is asked",
        to.addr
    )];
    Some(Finding {
        severity: Severity::Warning,
        fix: Some(Fix {
            say: format!(
                "give this host the address {}, or let {holder} listen elsewhere",
                to.addr
            ),
            command: None,
        }),
        check: Some(format!("ip address show to {}", to.addr)),
        ..sight.finding(
            &DOC,
            format!("{holder} listens on {to}, which is no address of this host"),
            why,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    #[test]
    fn a_socket_at_a_foreign_address_is_told() {
        let world = World::of("", &["tcp/192.168.77.9:80=web"]);
        let found = world.findings("192.168.77.9:80");
        let told = found.iter().find(|f| f.code == "address-not-here").unwrap();
        assert_eq!(
            told.title,
            "web listens on 192.168.77.9:80, which is no address of this host"
        );
        assert_eq!(world.codes("192.168.77.1:81"), ["nothing-listens"]);
    }
}
