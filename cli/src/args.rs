//! The command line.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{
    Args as ClapArgs, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use kernel::netns::NetnsRef;
use net::{Prefix, Proto};

/// Explains what happens to connections on a Kubernetes node.
#[derive(Debug, Parser)]
#[command(name = "berth", version, max_term_width = 80)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell what happens to a connection, and why
    #[command(after_help = WHY_HELP)]
    Why(Box<WhyArgs>),
    /// Tell which ports of this host lose traffic, and to whom
    #[command(after_help = SCAN_HELP)]
    Scan(Box<ScanArgs>),
    /// Tell which connections end otherwise in two states of a host
    #[command(after_help = DIFF_HELP)]
    Diff(Box<DiffArgs>),
    /// Serve a page with the ports of this host, and the answers of `why` and `scan`
    #[command(after_help = PAGE_HELP)]
    Page(Box<PageArgs>),
    /// Save everything that `why` needs in one file, changing nothing on the host
    Snapshot(SnapshotArgs),
    /// Tell more about a kind of finding, or list them
    Explain(ExplainArgs),
    /// Print the JSON Schema of what `why`, `scan`, `diff` or `page` says in JSON
    Schema(SchemaArgs),
    /// Play a port conflict on the real kernel, leaving nothing behind
    Demo,
    /// A server of the demo
    #[command(hide = true)]
    DemoServer(DemoServerArgs),
}

const WHY_HELP: &str = "\
TARGET is ADDRESS:PORT, [V6ADDRESS]:PORT, :PORT or PORT for this host,
localhost:PORT, or `service NAMESPACE/NAME[:PORT]`.

Options that give a part of the host, all but --netns and --snapshot, may be
repeated; so may --cluster-cidr.

Exit status: 1 where something is proven wrong, else 2 where it cannot tell or
was misused, else 0.

Examples:
  berth why 192.0.2.10:30584
  berth why :53 --udp --from pods
  berth why 192.0.2.10:30584 --trace --wait 30 --from 198.51.100.7
  berth why 192.0.2.10:30584 --snapshot node-1.berth
  berth why 192.0.2.10:30584 --rules rules.txt --sockets ss.txt";

/// `berth why`.
#[derive(Debug, ClapArgs)]
pub(crate) struct WhyArgs {
    /// Where the client connects to
    #[arg(required = true, num_args = 1..=3, value_name = "TARGET")]
    pub(crate) target: Vec<String>,
    /// Ask about UDP instead of TCP
    #[arg(long, conflicts_with_all = ["sctp", "proto"])]
    pub(crate) udp: bool,
    /// Ask about SCTP instead of TCP
    #[arg(long, conflicts_with = "proto")]
    pub(crate) sctp: bool,
    /// Ask about this protocol, by name or number
    #[arg(long, value_name = "PROTOCOL", value_parser = with_ports)]
    pub(crate) proto: Option<Proto>,
    /// Ask about one kind of source only: ADDRESS, local, outside, pods, or
    /// `pod NAMESPACE/NAME`
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Option<String>,
    /// The interface that packets come in on
    #[arg(long = "in", value_name = "INTERFACE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) iif: Option<String>,
    /// The client's source port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) sport: Option<u16>,
    /// The client's link-layer address, for rules that ask for it
    #[arg(long, value_name = "MAC", value_parser = mac)]
    pub(crate) mac: Option<[u8; 6]>,
    /// User and group of a client on this host, for rules that ask for them
    #[arg(long, value_name = "UID[:GID]", value_parser = user)]
    pub(crate) uid: Option<(u32, u32)>,
    /// Also make one real connection from here, and compare
    #[arg(long)]
    pub(crate) probe: bool,
    /// Also have the kernel report the way of that connection's first packet, and
    /// compare: adds one nftables table and removes it
    #[arg(long)]
    pub(crate) trace: bool,
    /// With --trace: wait for a client to connect by itself, instead of from here
    #[arg(long, value_name = "SECONDS", requires = "trace", conflicts_with = "probe", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) wait: Option<u64>,
    /// Print one JSON document (see `berth schema`)
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell every step, not only those that mattered
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

const SCAN_HELP: &str = "\
Every listening socket is held against all packets for it: from outside, from
pods, from this host. A port loses traffic where a rule made for it, or for a
Service, refuses its packets or gives them to somebody else. What a firewall
keeps out, or the kernel, is called blocked.

With --ports it tells of all 65535 ports of each address: open, closed (nobody
is there), refused or rejected by a rule, filtered (no answer), or led to
somebody else.

Exit status: 1 where a port loses traffic, else 2 where it cannot tell or was
misused, else 0.";

/// `berth scan`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ScanArgs {
    /// List the unharmed ports too
    #[arg(long)]
    pub(crate) all: bool,
    /// Also tell what becomes of every port of this host, listeners or none: TCP's, or those of
    /// another protocol
    #[arg(long, value_name = "PROTOCOL", value_parser = with_ports, num_args = 0..=1,
        require_equals = true, default_missing_value = "tcp")]
    pub(crate) ports: Option<Proto>,
    /// Print one JSON document (see `berth schema scan`)
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

const DIFF_HELP: &str = "\
What a new rule, a new proxy or a new policy did: every destination that a rule
or a socket of either state singles out is asked about in both, from outside,
from pods and from this host.

Exit status: 0 where every connection ends as before, 1 where one does not, 2
where it was misused.

Examples:
  berth snapshot -o before.berth
  berth diff before.berth
  berth diff before.berth after.berth";

/// `berth diff`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    /// The host as it was, saved by `berth snapshot`
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// The host as it is, saved likewise; without it, this host
    #[arg(value_name = "AFTER")]
    pub(crate) after: Option<PathBuf>,
    /// Compare with another network namespace of this machine
    #[arg(long, value_name = "PATH|PID", conflicts_with = "after")]
    pub(crate) netns: Option<NetnsRef>,
    /// Tell every difference
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print one JSON document (see `berth schema diff`)
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

const PAGE_HELP: &str = "\
Views:
  /                 who holds which port
  /scan             what `berth scan` lists; /scan?all
  /why?to=TARGET    what `berth why` answers; &from=SOURCE &proto=PROTOCOL
                    &in=INTERFACE &sport=PORT &mac=MAC &uid=UID[:GID]
  /explain/CODE     what is known of a finding

With `Accept: application/json` the same addresses give JSON. The page only
reads. It answers nobody who calls it by a name that it does not know: that
keeps a site on the internet from reading it through a browser here.

Exit status: 0 after SIGINT or SIGTERM, 2 where it cannot serve.

Examples:
  berth page
  berth page --snapshot node-1.berth
  berth page --listen 192.0.2.10:23784 --host node-1.example";

/// `berth page`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PageArgs {
    /// Where to serve it; whoever reaches another address than loopback can read it
    #[arg(id = "page", long = "listen", value_name = "ADDRESS:PORT", default_value_t = PAGE)]
    pub(crate) listen: SocketAddr,
    /// A name that the page may be called by, besides loopback's and its address
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// The ports that NodePorts are given from
    #[arg(long, value_name = "FIRST-LAST", value_parser = port_range, default_value = "30000-32767")]
    pub(crate) node_ports: (u16, u16),
    #[command(flatten)]
    pub(crate) source: HostArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Where the page is: BERTH on the keys of a telephone, below every range that ports are
/// given from.
const PAGE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 23784);

/// Which host is asked.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Which host (this one, unless told otherwise)")]
pub(crate) struct HostArgs {
    /// Another network namespace of this machine: its path, its name, or a process in it
    #[arg(long, value_name = "PATH|PID", conflicts_with_all = [
        "rules", "sockets", "addresses", "routes", "ip_rules", "links", "sets", "conntrack",
        "sysctls", "sysctl", "listen", "address", "route",
    ])]
    pub(crate) netns: Option<NetnsRef>,
    /// A host that `berth snapshot` saved; files given beside it take the place of
    /// its parts, and --sysctl, --listen, --address and --route add to them
    #[arg(long, value_name = "FILE", conflicts_with = "netns")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Rules: iptables-save, ip6tables-save, nft list ruleset (also with -j); all
    /// FILEs together are the ruleset
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// Sockets: ss -tulpen
    #[arg(long, value_name = "FILE")]
    pub(crate) sockets: Vec<PathBuf>,
    /// Addresses: ip -j address
    #[arg(long, value_name = "FILE")]
    pub(crate) addresses: Vec<PathBuf>,
    /// Routes: ip -j route show table all, with -6 as well
    #[arg(long, value_name = "FILE")]
    pub(crate) routes: Vec<PathBuf>,
    /// Routing rules: ip -j rule, with -6 as well
    #[arg(long, value_name = "FILE")]
    pub(crate) ip_rules: Vec<PathBuf>,
    /// Links: ip -j -d link
    #[arg(long, value_name = "FILE")]
    pub(crate) links: Vec<PathBuf>,
    /// ipsets: ipset save
    #[arg(long, value_name = "FILE")]
    pub(crate) sets: Vec<PathBuf>,
    /// Tracked connections: conntrack -L
    #[arg(long, value_name = "FILE")]
    pub(crate) conntrack: Vec<PathBuf>,
    /// Kernel settings: sysctl -a
    #[arg(long, value_name = "FILE")]
    pub(crate) sysctls: Vec<PathBuf>,
    /// One kernel setting
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) sysctl: Vec<String>,
    /// One listener, such as tcp/0.0.0.0:30584=NAME
    #[arg(long, value_name = "LISTENER")]
    pub(crate) listen: Vec<String>,
    /// One address of the host, such as 192.0.2.1/24@eth0
    #[arg(long, value_name = "ADDRESS/LENGTH@LINK")]
    pub(crate) address: Vec<String>,
    /// One route, in the words of ip route
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Vec<String>,
}

/// What is known of the cluster.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "What is known of the cluster")]
pub(crate) struct ClusterArgs {
    /// A folder of Services, EndpointSlices, Pods and Nodes in YAML or JSON
    #[arg(long, value_name = "DIR")]
    pub(crate) manifests: Option<PathBuf>,
    /// The range that pods of this node have their addresses from: packets from
    /// there count as from pods, not from outside. Without it, the range that the
    /// Node has in --manifests, else the one that the rules show
    #[arg(long, value_name = "CIDR")]
    pub(crate) cluster_cidr: Vec<Prefix>,
}

/// `berth snapshot`.
#[derive(Debug, ClapArgs)]
pub(crate) struct SnapshotArgs {
    /// Another network namespace of this machine: its path, its name, or a process in it
    #[arg(long, value_name = "PATH|PID")]
    pub(crate) netns: Option<NetnsRef>,
    /// Where to write it; - for stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `berth explain`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// The code of a finding, as a story shows it in brackets
    pub(crate) code: Option<String>,
}

/// `berth schema`.
#[derive(Debug, ClapArgs)]
pub(crate) struct SchemaArgs {
    /// Whose answers it is of
    #[arg(value_enum, default_value_t = Answers::Why, value_name = "COMMAND")]
    pub(crate) of: Answers,
}

/// A command that answers in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answers {
    /// `berth why`
    Why,
    /// `berth scan`
    Scan,
    /// `berth diff`
    Diff,
    /// The port map of `berth page`; its other views have the schemas of `why` and `scan`
    Page,
}

/// `berth demo-server`, which `berth demo` starts.
#[derive(Debug, ClapArgs)]
pub(crate) struct DemoServerArgs {
    /// What the process calls itself
    #[arg(long)]
    pub(crate) name: String,
    /// The network namespace it serves in
    #[arg(long)]
    pub(crate) netns: NetnsRef,
    /// Where it listens
    #[arg(long)]
    pub(crate) listen: SocketAddr,
}

impl Args {
    /// Reads the command line.
    pub(crate) fn read<W: Into<OsString> + Clone>(
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::whole().try_get_matches_from(words)?)
    }

    /// The command. A page listens itself, so that a listener of a host put together is
    /// `--listener` there.
    fn whole() -> clap::Command {
        let page = |page: clap::Command| page.mut_arg("listen", |arg| arg.long("listener"));
        Self::command().mut_subcommand("page", page)
    }
}

impl HostArgs {
    /// Whether the host is put together from files and short forms.
    pub(crate) fn is_offline(&self) -> bool {
        self.snapshot.is_some() || self.has_parts()
    }

    /// Whether a part of it is given by a file or a short form.
    pub(crate) fn has_parts(&self) -> bool {
        let files = [
            &self.rules,
            &self.sockets,
            &self.addresses,
            &self.routes,
            &self.ip_rules,
            &self.links,
            &self.sets,
            &self.conntrack,
            &self.sysctls,
        ];
        let short = [&self.sysctl, &self.listen, &self.address, &self.route];
        files.iter().any(|list| !list.is_empty()) || short.iter().any(|list| !list.is_empty())
    }
}

impl WhyArgs {
    /// The protocol asked about.
    pub(crate) fn protocol(&self) -> Proto {
        match (self.proto, self.udp, self.sctp) {
            (Some(proto), _, _) => proto,
            (None, true, _) => Proto::UDP,
            (None, false, true) => Proto::SCTP,
            (None, false, false) => Proto::TCP,
        }
    }
}

/// A protocol whose packets have ports: connections of any other cannot be asked about.
pub(crate) fn with_ports(text: &str) -> Result<Proto, String> {
    let proto: Proto = text
        .parse()
        .map_err(|error: net::ParseProtoError| error.to_string())?;
    if proto.has_ports() {
        Ok(proto)
    } else {
        Err(format!(
            "{proto} has no ports: give tcp, udp, sctp, dccp or udplite"
        ))
    }
}

/// A link-layer address.
pub(crate) fn mac(text: &str) -> Result<[u8; 6], String> {
    let wrong = || format!("`{text}` is no link-layer address such as 02:00:00:00:00:01");
    let bytes: Vec<u8> = text
        .split([':', '-'])
        .map(|part| {
            let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let byte = u8::from_str_radix(part, 16).ok();
            byte.filter(|_| digits).ok_or_else(wrong)
        })
        .collect::<Result<_, _>>()?;
    bytes.try_into().map_err(|_| wrong())
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("`{text}` is no range of ports such as 30000-32767");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok((first, last)),
        _ => Err(wrong()),
    }
}

/// `UID` or `UID:GID`.
pub(crate) fn user(text: &str) -> Result<(u32, u32), String> {
    let number = |part: &str| {
        let wrong = |_| format!("`{part}` is no user or group number");
        part.parse::<u32>().map_err(wrong)
    };
    match text.split_once(':') {
        Some((uid, gid)) => Ok((number(uid)?, number(gid)?)),
        None => Ok((number(text)?, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(line: &str) -> WhyArgs {
        let words = ["berth", "why"].into_iter().chain(line.split(' '));
        match Args::read(words).unwrap().command {
            Command::Why(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_has_no_contradictions() {
        Args::whole().debug_assert();
    }

    #[test]
    fn a_page_listens_itself_and_its_host_has_listeners() {
        let words = "berth page --listen 127.0.0.1:80 --listener tcp/0.0.0.0:1=a --host b";
        let args = match Args::read(words.split(' ')).unwrap().command {
            Command::Page(args) => *args,
            other => panic!("{other:?}"),
        };
        assert_eq!(args.listen.port(), 80);
        assert_eq!(args.source.listen, ["tcp/0.0.0.0:1=a"]);
        assert!(!(30000..=60999).contains(&PAGE.port()));
    }

    #[test]
    fn the_protocol_is_tcp_unless_told_otherwise() {
        assert_eq!(why("x:1").protocol(), Proto::TCP);
        assert_eq!(why("x:1 --udp").protocol(), Proto::UDP);
        assert_eq!(why("x:1 --proto 132").protocol(), Proto::SCTP);
    }

    #[test]
    fn any_file_or_short_form_means_a_host_put_together() {
        assert!(!why("x:1 --netns 12").host.is_offline());
        assert!(why("x:1 --listen tcp/0.0.0.0:1=a").host.is_offline());
        assert!(why("x:1 --rules a --rules b").host.is_offline());
    }

    #[test]
    fn a_user_may_come_with_a_group() {
        assert_eq!(why("x:1 --uid 1000:5").uid, Some((1000, 5)));
        assert_eq!(why("x:1 --uid 1000").uid, Some((1000, 0)));
        assert_eq!(mac("02-00-00-00-00-0a"), Ok([2, 0, 0, 0, 0, 10]));
        assert!(mac("02:00").is_err());
    }

    #[test]
    fn help_fits_80_columns() {
        let mut command = Args::whole();
        command.build();
        let why = command.find_subcommand_mut("why").unwrap();
        let help = why.render_long_help().to_string();
        let wide: Vec<_> = help.lines().filter(|l| l.chars().count() > 80).collect();
        assert_eq!(wide, Vec::<&str>::new());
    }
}
