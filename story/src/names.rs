//! How the holders of sockets are called.

use std::collections::BTreeMap;

use host::Holder;

/// A pod by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLabel {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// It shares the addresses and ports of the host.
    pub host_network: bool,
}

/// Names of pods by UID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    pods: BTreeMap<String, PodLabel>,
}

impl Names {
    /// Adds a pod; what was known of it before is replaced.
    pub fn insert(&mut self, uid: &str, label: PodLabel) {
        let _ = self.pods.insert(uid.to_owned(), label);
    }

    /// The pod that a process belongs to, where its name is known.
    pub fn pod_of(&self, holder: &Holder) -> Option<&PodLabel> {
        self.pods.get(holder.pod_uid.as_deref()?)
    }

    /// The pod with this UID.
    pub fn pod(&self, uid: &str) -> Option<&PodLabel> {
        self.pods.get(uid)
    }
}
