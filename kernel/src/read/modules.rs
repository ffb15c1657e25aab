//! Which kernel modules are there, so that nothing is asked that would load one.
//!
//! Kernel: a message to a netlink protocol, subsystem or socket family whose module is not
//! there loads it (net/netfilter/nfnetlink.c, net/core/sock_diag.c, net/netlink/af_netlink.c).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Whether a module is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Loaded or built in, or the kernel cannot load any: asking changes nothing.
    There,
    /// Asking would load it, so what it would tell of is not there.
    NotLoaded,
    /// It is not among the loaded ones, and which are built in is not known.
    Unknown,
}

/// The modules of the running kernel.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Loaded ones; absent where the kernel has no module support.
    loaded: Option<BTreeSet<String>>,
    /// Built-in ones; absent where the list cannot be read.
    built_in: Option<BTreeSet<String>>,
}

impl Modules {
    /// Reads the lists; none of it needs privileges.
    pub(super) fn read(release: &str) -> Self {
        let loaded = fs::read_to_string("/proc/modules").ok();
        let built_in = ["", "/proc/1/root"].iter().find_map(|root| {
            // In a container that sees the host's processes the second is the host's list.
            fs::read_to_string(format!("{root}/lib/modules/{release}/modules.builtin")).ok()
        });
        Self {
            loaded: loaded.map(|text| parse_loaded(&text)),
            built_in: built_in.map(|text| parse_built_in(&text)),
        }
    }

    /// Whether a module is there, by its name with underscores.
    pub(super) fn presence(&self, module: &str) -> Presence {
        let Some(loaded) = &self.loaded else {
            return Presence::There;
        };
        if loaded.contains(module) || Path::new("/sys/module").join(module).exists() {
            return Presence::There;
        }
        match &self.built_in {
            Some(built_in) if built_in.contains(module) => Presence::There,
            Some(_) => Presence::NotLoaded,
            None => Presence::Unknown,
        }
    }

    /// Whether all of these modules are there: the worst of their presences.
    pub(super) fn all(&self, modules: &[&str]) -> Presence {
        let mut worst = Presence::There;
        for module in modules {
            match self.presence(module) {
                Presence::There => {}
                Presence::NotLoaded => return Presence::NotLoaded,
                Presence::Unknown => worst = Presence::Unknown,
            }
        }
        worst
    }
}

/// Why a part was not asked for.
pub(super) fn unknown_module(module: &str) -> String {
    format!(
        "whether kernel module {module} is there cannot be told, and asking might load it: \
         /lib/modules is not readable here"
    )
}

fn parse_loaded(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

fn parse_built_in(text: &str) -> BTreeSet<String> {
    let names = text
        .lines()
        .filter_map(|line| Path::new(line).file_stem()?.to_str());
    names.map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_is_neither_loaded_nor_built_in_is_not_asked() {
        let modules = Modules {
            loaded: Some(parse_loaded("made_up_one 294912 0 - Live 0x0\n")),
            built_in: Some(parse_built_in("kernel/net/made-up-two.ko\n")),
        };
        assert_eq!(modules.presence("made_up_one"), Presence::There);
        assert_eq!(modules.presence("made_up_two"), Presence::There);
        assert_eq!(modules.presence("made_up_three"), Presence::NotLoaded);
    }

    #[test]
    fn without_the_list_of_built_in_modules_nothing_is_known_of_them() {
        let modules = Modules {
            loaded: Some(BTreeSet::new()),
            built_in: None,
        };
        assert_eq!(modules.all(&["made_up_two"]), Presence::Unknown);
    }

    #[test]
    fn a_kernel_without_modules_can_be_asked_anything() {
        assert_eq!(Modules::default().presence("made_up"), Presence::There);
    }
}
