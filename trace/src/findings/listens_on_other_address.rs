//! A process listens on the port, but not where the client asks.

use host::{Host, Socket};

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::nothing_listens::{closed, ss};
use super::{Finding, FindingDoc, Fix};
use crate::deliver;

documented! {
    /// The process listens on another address, family or interface than asked.
    ///
    /// # You see
    /// "Connection refused" at one address of the host, while the same port at
    /// another one answers; or IPv4 works and IPv6 does not; or the other way
    /// round.
    /// # Check by hand
    /// `ss -tlnp 'sport = :PORT'`: the local address is neither the one asked
    /// for nor a wildcard of its family. `[::]` takes IPv4 too, unless
    /// `ss -tlnpe` says `v6only:1`. `%eth1` behind an address means that the
    /// socket is bound to that interface.
    /// # Put it right
    /// Connect to the address that the program listens on, or have it listen on
    /// the one that clients use, or on all.
    pub(crate) const DOC: FindingDoc = "listens-on-other-address";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let _ = closed(sight)?;
    let to = sight.destination();
    let open: Vec<&Socket> = sight.listeners(to.port).collect();
    // To a client of this host at 127.0.0.1 a socket at ::1 is just another address.
    let mut elsewhere = open
        .iter()
        .filter(|s| to.addr.is_loopback() || !s.addr.is_loopback());
    let socket = *elsewhere.next()?;
    let holder = words::holder(socket);
    let device = socket.device.filter(|_| deliver::accepts(socket, to.addr));
    let title = match device.map(|index| link_name(sight.host, index)) {
        Some(link) => format!("{holder} listens on that port for interface {link} only"),
        None => format!(
            "{holder} listens on {}, not on {to}",
            words::listens(socket)
        ),
    };
    let mut why: Vec<String> = open
        .iter()
        .map(|s| format!("{} listens on {}", words::holder(s), words::listens(s)))
        .collect();
    let is_absent = !socket.addr.is_unspecified() && !sight.is_own(socket.addr);
    if is_absent {
        why.push(format!("{} is no address of this host", socket.addr));
    }
    Some(Finding {
        fix: Some(Fix {
            say: format!("let {holder} listen on {} or on all addresses", to.addr),
            command: None,
        }),
        check: Some(ss(sight, to.port)),
        ..sight.finding(&DOC, title, why)
    })
}

fn link_name(host: &Host, index: u32) -> String {
    match host.link(index) {
        Some(link) => link.name.clone(),
        None => format!("number {index}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    #[test]
    fn a_listener_on_another_address_is_named_with_it() {
        let world = World::of("", &["tcp/192.168.77.9:8080=webd"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(found[0].code, "listens-on-other-address");
        assert_eq!(
            found[0].title,
            "webd listens on 192.168.77.9:8080, not on 192.168.77.1:8080"
        );
        assert_eq!(found[0].why[1], "192.168.77.9 is no address of this host");
    }

    #[test]
    fn a_listener_for_ipv6_alone_takes_no_ipv4() {
        let world = World::of("", &["tcp/[::]:8080=webd"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(
            found[0].title,
            "webd listens on [::]:8080 for IPv6 only, not on 192.168.77.1:8080"
        );
    }

    #[test]
    fn a_socket_bound_to_an_interface_hears_no_other() {
        let mut world = World::of("", &["tcp/0.0.0.0:8080=webd"]);
        world.host.sockets[0].device = world.host.link_named("lo").map(|link| link.index);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(
            found[0].title,
            "webd listens on that port for interface lo only"
        );
    }
}
