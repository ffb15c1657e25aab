//! A process listens for this host alone, and the client is elsewhere or uses another address.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::nothing_listens::{closed, ss};
use super::{Finding, FindingDoc, Fix};

documented! {
    /// The process listens on a loopback address only.
    ///
    /// # You see
    /// "Connection refused" from everywhere, while `curl localhost:PORT` on
    /// the host itself works.
    /// # Check by hand
    /// `ss -tlnp 'sport = :PORT'` shows `127.0.0.1:PORT` or `[::1]:PORT` and no
    /// other socket with the port.
    /// # Put it right
    /// Have the program listen on the address that clients use, or on
    /// `0.0.0.0` or `[::]` for all of them; often a setting named `bind`,
    /// `listen` or `host`. Mind that it can then be reached from outside.
    pub(crate) const DOC: FindingDoc = "listens-on-loopback-only";
}

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let _ = closed(sight)?;
    let to = sight.destination();
    if to.addr.is_loopback() || sight.listeners(to.port).any(|s| !s.addr.is_loopback()) {
        return None;
    }
    let socket = sight.listeners(to.port).next()?;
    let holder = words::holder(socket);
    let title = format!("{holder} listens on {} only", words::listens(socket));
    let why = vec![format!(
        "{holder} takes connections to {} from this host alone; nothing listens on {to}",
        socket.addr
    )];
    Some(Finding {
        fix: Some(Fix {
            say: format!("let {holder} listen on {} or on all addresses", to.addr),
            command: None,
        }),
        check: Some(ss(sight, to.port)),
        ..sight.finding(&DOC, title, why)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    #[test]
    fn a_listener_on_loopback_is_not_there_for_others() {
        let world = World::of("", &["tcp/127.0.0.1:8080=webd"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(found[0].code, "listens-on-loopback-only");
        assert_eq!(found[0].title, "webd listens on 127.0.0.1:8080 only");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_listener_on_loopback_is_there_for_loopback() {
        let world = World::of("", &["tcp/127.0.0.1:8080=webd"]);
        assert_eq!(world.codes("127.0.0.1:8080"), [""; 0]);
    }
}
