//! Rules, sockets and Services in words, and the commands that show or change them.

use host::{Language, Socket, Table, TableFamily};
use net::{Endpoint, ServiceName};

use crate::answer::{RuleRef, Step};
use crate::findings::Fix;
use crate::findings::common::sight::{Frontend, Sight};

/// What makes a finding about an unnamed socket less than sure.
pub(crate) const MAY_BE_PROXY: &str = "who holds the socket could not be read: kube-proxy up to \
    1.23 listens on the NodePorts of its Services itself, and then nobody loses anything";

/// What becomes of a packet that was marked to be dropped, and is not.
pub(crate) const MARKED_IN_VAIN: &str = "its rules mark such packets to be dropped, but no rule \
    on their way drops them by the mark: they go on without being translated";

/// Who holds a socket.
pub(crate) fn holder(socket: &Socket) -> String {
    match &socket.holder {
        Some(holder) => holder.name.clone(),
        None => "a process that could not be named".to_owned(),
    }
}

/// What a socket listens on.
pub(crate) fn listens(socket: &Socket) -> String {
    let (addr, port) = (socket.addr, socket.port);
    let at = Endpoint { addr, port };
    if addr.is_unspecified() && socket.v6_only {
        format!("{at} for IPv6 only")
    } else {
        at.to_string()
    }
}

/// A rule or policy by place: `filter INPUT #3`, `policy of filter INPUT`.
pub(crate) fn place(sight: &Sight<'_>, at: &RuleRef) -> String {
    let (table, chain) = (&sight.table(at).name, &sight.chain(at).name);
    match at.rule {
        Some(rule) => format!("{table} {chain} #{}", rule + 1),
        None => format!("policy of {table} {chain}"),
    }
}

/// A Service and how clients reach it: `Service shop/web has NodePort 31080 for port http`.
pub(crate) fn has_frontend(sight: &Sight<'_>, service: &ServiceName) -> String {
    let to = sight.question.to;
    let whole = whole(service);
    let port = if service.port.is_empty() {
        String::new()
    } else {
        format!(" for port {}", service.port)
    };
    match sight.frontend(service) {
        Frontend::NodePort => format!("Service {whole} has NodePort {}{port}", to.port),
        Frontend::Addr => format!("Service {whole} is served at {to}{port}"),
    }
}

/// A Service without its port.
pub(crate) fn whole(service: &ServiceName) -> String {
    format!("{}/{}", service.namespace, service.name)
}

/// The command that shows the rule of a step, in the language the rule is in. Absent where a
/// name in it would have to be quoted.
pub(crate) fn show(sight: &Sight<'_>, step: &Step) -> Option<String> {
    let at = step.rule.as_ref()?;
    let (table, chain) = (sight.table(at), sight.chain(at));
    if !is_plain(&table.name) || !is_plain(&chain.name) {
        return None;
    }
    if !is_of_iptables(table) {
        let family = table.family;
        return Some(format!(
            "nft -a list chain {family} {} {}",
            table.name, chain.name
        ));
    }
    let program = if table.family == TableFamily::Ip6 {
        "ip6tables"
    } else {
        "iptables"
    };
    let has = |language| {
        let tables = &sight.host.ruleset.tables;
        tables.iter().any(|table| table.language == language)
    };
    let variant = match table.language {
        Language::Legacy if has(Language::Nft) => "-legacy",
        Language::Nft if has(Language::Legacy) => "-nft",
        Language::Legacy | Language::Nft => "",
    };
    let number = at.rule.map(|rule| format!(" {}", rule + 1));
    let number = number.unwrap_or_default();
    Some(format!(
        "{program}{variant} -t {} -S {}{number}",
        table.name, chain.name
    ))
}

/// Whether `iptables` shows a table: those of the old kernel tables, and of nftables those
/// that iptables-nft makes, known by their names and the names of their base chains.
pub(crate) fn is_of_iptables(table: &Table) -> bool {
    let is_named = ["raw", "mangle", "nat", "filter", "security"].contains(&&*table.name);
    let mut bases = table.chains.iter().filter(|chain| chain.base.is_some());
    let is_shouted = |name: &str| name.bytes().all(|b| b.is_ascii_uppercase());
    match (table.language, table.family) {
        (Language::Legacy, _) => true,
        (Language::Nft, TableFamily::Ip | TableFamily::Ip6) => {
            is_named && bases.all(|chain| is_shouted(&chain.name))
        }
        (Language::Nft, _) => false,
    }
}

/// A kernel setting as `sysctl` takes it: with slashes where a part has dots. Absent where a
/// part would have to be quoted.
pub(crate) fn setting(parts: &[&str]) -> Option<String> {
    let has_dots = parts.iter().any(|part| part.contains('.'));
    let is_safe = parts.iter().all(|part| is_plain(part));
    is_safe.then(|| parts.join(if has_dots { "/" } else { "." }))
}

/// Whether a word is itself for a shell and no option for a program.
pub(crate) fn is_plain(word: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
    !word.is_empty() && !word.starts_with('-') && word.chars().all(is_safe)
}

/// A command for a Service: `kubectl -n NAMESPACE VERB service NAME REST`. Names come from
/// rules, which anybody may have written.
pub(crate) fn kubectl(service: &ServiceName, verb: &str, rest: &str) -> Option<String> {
    let (namespace, name) = (&service.namespace, &service.name);
    (is_label(namespace) && is_label(name))
        .then(|| format!("kubectl -n {namespace} {verb} service {name} {rest}"))
        .map(|command| command.trim_end().to_owned())
}

/// Whether a word is a name of Kubernetes' (RFC 1123).
pub(crate) fn is_label(word: &str) -> bool {
    let is_inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
    !word.is_empty() && word.bytes().all(is_inside) && !word.starts_with(['-', '.'])
}

/// What to do where a Service has the port of a process.
pub(crate) fn give_way(sight: &Sight<'_>, service: &ServiceName) -> Fix {
    let (proto, to) = (sight.question.proto, sight.question.to);
    if sight.frontend(service) == Frontend::Addr {
        let say = format!(
            "take {} out of the external and load-balancer addresses of the Service, or give \
             its port {} another number",
            to.addr, to.port
        );
        return Fix { say, command: None };
    }
    let Some(free) = sight.names.free_node_port(sight.host, proto) else {
        let say = "give the Service another NodePort, or let the process listen elsewhere";
        return Fix {
            say: say.to_owned(),
            command: None,
        };
    };
    let is_only_port = service.port.is_empty().then_some(0);
    let index = sight.names.port_index(service).or(is_only_port);
    let command = index.and_then(|index| {
        let place = format!("/spec/ports/{index}/nodePort");
        let patch = format!(r#"[{{"op":"replace","path":"{place}","value":{free}}}]"#);
        kubectl(service, "patch", &format!("--type=json -p='{patch}'"))
    });
    let other = match &command {
        Some(_) => "give the Service another NodePort".to_owned(),
        None => format!(
            "give the Service the NodePort {free} instead of {}",
            to.port
        ),
    };
    // Which of its ports to patch is not known: whoever edits it sees that.
    let command = command.or_else(|| kubectl(service, "edit", ""));
    let say = format!("{other}\n{free} is free on this host and held by no Service");
    Fix { say, command }
}
