//! Names of pods: from manifests, and from the folders that the kubelet keeps logs in.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use host::Host;
use host::dump::Dump;
use service::Catalog;
use story::{Names, PodLabel};

/// Section of a dump with a line `UID NAMESPACE/NAME` for each pod of the host.
pub(crate) const PODS: &str = "kubelet/pods";
/// Section of a dump that was read in another network namespace than that of the host: which.
pub(crate) const NETNS: &str = "netns";

/// Where the kubelet keeps the logs of pods, in folders `NAMESPACE_NAME_UID`.
const LOGS: &str = "/var/log/pods";

/// The pods that the kubelet keeps logs of, a line each.
pub(crate) fn kubelet_pods() -> String {
    pods_in(Path::new(LOGS))
}

fn pods_in(dir: &Path) -> String {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    folders.sort();
    let mut lines = String::new();
    for folder in folders {
        let mut parts = folder.splitn(3, '_');
        if let (Some(namespace), Some(name), Some(uid)) = (parts.next(), parts.next(), parts.next())
        {
            let _ = writeln!(lines, "{uid} {namespace}/{name}");
        }
    }
    lines
}

/// Names for the pods that hold sockets of a host. Manifests know best; a pod that only the
/// kubelet's folders name holds a socket of the host itself, unless the dump is of another
/// network namespace.
pub(crate) fn names(host: &Host, dump: Option<&Dump>, catalog: &Catalog) -> Names {
    let mut names = Names::default();
    if let Some(dump) = dump {
        let host_network = dump.section(NETNS).is_empty();
        let text = dump.text(PODS);
        for (uid, name) in text.lines().filter_map(|line| line.split_once(' ')) {
            let name = name.to_owned();
            names.insert(uid, PodLabel { name, host_network });
        }
    }
    let holders = host.sockets.iter().filter_map(|s| s.holder.as_ref());
    for uid in holders.filter_map(|holder| holder.pod_uid.as_deref()) {
        if let Some(pod) = catalog.pod_by_uid(uid) {
            let label = PodLabel {
                name: pod.name.to_string(),
                host_network: pod.host_network,
            };
            names.insert(uid, label);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-1111-2222-3333-0123456789ab";

    #[test]
    fn a_log_folder_names_a_pod_by_uid() {
        let dir = std::env::temp_dir().join(format!("berth-names-{}", std::process::id()));
        fs::create_dir_all(dir.join(format!("shop_web-0_{UID}"))).unwrap();
        fs::create_dir_all(dir.join("stray")).unwrap();
        let lines = pods_in(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(lines, format!("{UID} shop/web-0\n"));
    }

    #[test]
    fn a_pod_of_another_namespace_is_not_said_to_share_the_hosts() {
        let mut dump = Dump::default();
        let line = format!("{UID} shop/web-0\n").into_bytes();
        dump.sections.insert(PODS.to_owned(), line);
        let label = |dump: &Dump| {
            let names = names(&Host::default(), Some(dump), &Catalog::default());
            names.pod(UID).unwrap().host_network
        };
        assert!(label(&dump));
        dump.sections
            .insert(NETNS.to_owned(), b"process 7".to_vec());
        assert!(!label(&dump));
    }
}
