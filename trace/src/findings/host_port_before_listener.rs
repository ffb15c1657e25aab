//! A container's published port gets the clients of a process of this host.

use super::common::doc::documented;
use super::common::sight::Sight;
use super::common::words;
use super::{Finding, FindingDoc, Fix};
use crate::answer::Did;

documented! {
    /// A container's published port translates away what a process of this host
    /// listens for.
    ///
    /// # You see
    /// Another program answers on the port than the one that `ss -tlnp` shows,
    /// and that one logs nothing. No Service has the port: a pod has it as
    /// `hostPort`, or a container was started with `-p`.
    ///
    /// The CNI plugin portmap and Docker write a translation for the port
    /// without looking at who listens. Docker's own docker-proxy listens on the
    /// port too, and is no other program: it serves clients that the
    /// translation does not reach.
    /// # Check by hand
    /// `iptables -t nat -S CNI-HOSTPORT-DNAT` or `iptables -t nat -S DOCKER`
    /// shows the rule; a comment of portmap's names the container.
    /// # Put it right
    /// Give the container another `hostPort` (`-p`), or let the process listen
    /// on another port. A pod with `hostPort` is scheduled by Kubernetes without
    /// a look at processes that no pod declares.
    pub(crate) const DOC: FindingDoc = "host-port-before-listener";
}

/// How the chains begin in which published ports are translated, and by whom.
const WRITERS: [(&str, &str); 5] = [
    ("CNI-DN-", "the CNI plugin portmap"),
    ("CNI-HOSTPORT", "the CNI plugin portmap"),
    ("KUBE-HOSTPORT", "the kubelet"),
    ("KUBE-HP-", "the kubelet"),
    ("DOCKER", "Docker"),
];

/// Programs that listen on a published port for the container itself.
const OWN: [&str; 3] = ["docker-proxy", "rootlessport", "conmon"];

pub(crate) fn find(sight: &Sight<'_>) -> Option<Finding> {
    let is_translation = |step: &&crate::Step| matches!(step.did, Did::Dnat { .. });
    let step = sight.request().iter().find(is_translation)?;
    let at = step.rule.as_ref()?;
    let chain = &sight.chain(at).name;
    let (_, writer) = WRITERS.iter().find(|(start, _)| chain.starts_with(start))?;
    let listener = sight.listener()?;
    let holder = words::holder(listener);
    if OWN.contains(&holder.as_str()) {
        return None;
    }
    let to = sight.destination();
    let comment = sight.comment(step);
    let mut why = vec![format!(
        "{writer} leads {} to {to}; {holder} listens on the same port and gets none of it",
        sight.question.to
    )];
    if !comment.is_empty() {
        why.push(format!("its rule says: {comment}"));
    }
    Some(Finding {
        fix: Some(Fix {
            say: format!(
                "give the container another published port than {}",
                sight.question.to.port
            ),
            command: None,
        }),
        check: words::show(sight, step),
        ..sight.finding(
            &DOC,
            format!("a container's published port took it from {holder}"),
            why,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;

    const DOCKER: &str = "*nat\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n:DOCKER -\n\
        -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
        -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n\
        COMMIT\n";

    #[test]
    fn a_published_port_takes_a_port_from_a_process() {
        let world = World::of(DOCKER, &["tcp/0.0.0.0:8080=java"]);
        let found = world.findings("192.168.77.1:8080");
        assert_eq!(found[0].code, "host-port-before-listener");
        assert_eq!(
            found[0].title,
            "a container's published port took it from java"
        );
        assert!(
            found[0].why[0].starts_with("Docker leads"),
            "{:?}",
            found[0].why
        );
    }

    #[test]
    fn the_containers_own_proxy_loses_nothing() {
        let world = World::of(DOCKER, &["tcp/0.0.0.0:8080=docker-proxy"]);
        assert_eq!(world.codes("192.168.77.1:8080"), [""; 0]);
    }
}
