//! Kernel settings by their dotted names, and the values in force per device.

use std::collections::BTreeMap;

use net::Family;

/// The last words of the settings that are read as a number.
const NUMBERS: [&str; 14] = [
    "accept_local",
    "bridge-nf-call-ip6tables",
    "bridge-nf-call-iptables",
    "forwarding",
    "icmp_msgs_per_sec",
    "icmp_ratelimit",
    "icmp_ratemask",
    "ip_forward",
    "nf_conntrack_tcp_loose",
    "ratelimit",
    "route_localnet",
    "rp_filter",
    "send_redirects",
    "src_valid_mark",
];

/// Kernel settings as `sysctl -a` names them. A setting that was not read has the kernel's
/// default; [`Sysctls::is_given`] tells the two apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sysctls {
    values: BTreeMap<String, String>,
}

impl Sysctls {
    /// Sets `name`; the name may have slashes, as under `/proc/sys`.
    pub fn insert(&mut self, name: &str, value: &str) {
        let _ = self
            .values
            .insert(name.replace('/', "."), value.trim().to_owned());
    }

    /// The text of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A setting as a number; `default` where it was not read or is none.
    pub fn number(&self, name: &str, default: i64) -> i64 {
        self.get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    /// Whether `name` was read.
    pub fn is_given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// What the value of a setting must be, where it is something else: asked of the settings
    /// that decide about packets, whose kernel defaults would count instead.
    pub fn fault(name: &str, value: &str) -> Option<&'static str> {
        let name = name.replace('/', ".");
        let last = name.rsplit('.').next().unwrap_or_default();
        let numbers = |text: &str| -> Option<Vec<i64>> {
            let words = text.split_ascii_whitespace();
            words.map(|word| word.parse().ok()).collect()
        };
        let wanted = match last {
            "ip_local_port_range" => 2,
            _ if NUMBERS.contains(&last) => 1,
            _ => return None,
        };
        let is_sound = numbers(value).is_some_and(|numbers| numbers.len() == wanted);
        match (is_sound, wanted) {
            (true, _) => None,
            (false, 1) => Some("a number"),
            (false, _) => Some("two ports"),
        }
    }

    /// All settings by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reverse path filter of a device: the stricter of `all` and the device's own
    /// (`IN_DEV_RPFILTER`, inetdevice.h); 0 off, 1 strict, 2 loose. IPv4 only.
    pub fn rp_filter(&self, device: &str) -> i64 {
        self.conf("ipv4", "all", "rp_filter")
            .max(self.conf("ipv4", device, "rp_filter"))
    }

    /// Whether 127.0.0.0/8 may be routed on a device: `all` or its own
    /// (`IN_DEV_ROUTE_LOCALNET`, inetdevice.h). IPv4 only.
    pub fn route_localnet(&self, device: &str) -> bool {
        self.either(device, "route_localnet")
    }

    /// Whether packets from an own address are accepted on a device (`accept_local`).
    pub fn accept_local(&self, device: &str) -> bool {
        self.either(device, "accept_local")
    }

    /// Whether the mark counts in the reverse path look-up (`src_valid_mark`).
    pub fn src_valid_mark(&self, device: &str) -> bool {
        self.either(device, "src_valid_mark")
    }

    /// Whether packets that come in on `device` are forwarded. IPv4 asks the device
    /// (`IN_DEV_FORWARD`, route.c); IPv6 asks `all` and the device (ip6_output.c).
    pub fn forwarding(&self, family: Family, device: &str) -> bool {
        match family {
            Family::V4 => {
                let all = self.number("net.ipv4.ip_forward", 0);
                let all = self.number("net.ipv4.conf.all.forwarding", all);
                self.number(&format!("net.ipv4.conf.{device}.forwarding"), all) != 0
            }
            Family::V6 => self.conf("ipv6", "all", "forwarding") != 0,
        }
    }

    /// Ports the kernel picks from for a local client, both ends included.
    pub fn ephemeral_ports(&self) -> (u16, u16) {
        let text = self.get("net.ipv4.ip_local_port_range").unwrap_or_default();
        let mut ends = text.split_ascii_whitespace().map(str::parse);
        match (ends.next(), ends.next()) {
            (Some(Ok(first)), Some(Ok(last))) => (first, last),
            _ => (32768, 60999),
        }
    }

    /// Whether the kernel may pick `port` for a client of this host.
    pub fn may_be_picked(&self, port: u16) -> bool {
        let (first, last) = self.ephemeral_ports();
        (first..=last).contains(&port) && !self.is_reserved(port)
    }

    /// Whether the kernel picks `port` for no client (`ip_local_reserved_ports`).
    pub fn is_reserved(&self, port: u16) -> bool {
        let text = self
            .get("net.ipv4.ip_local_reserved_ports")
            .unwrap_or_default();
        text.split(',').any(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let ends = (first.trim().parse::<u16>(), last.trim().parse::<u16>());
            matches!(ends, (Ok(first), Ok(last)) if (first..=last).contains(&port))
        })
    }

    fn conf(&self, family: &str, device: &str, name: &str) -> i64 {
        self.number(&format!("net.{family}.conf.{device}.{name}"), 0)
    }

    fn either(&self, device: &str, name: &str) -> bool {
        self.conf("ipv4", "all", name) != 0 || self.conf("ipv4", device, name) != 0
    }
}
