//! What every object has, and the objects of which we need little more.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Name and labels of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The name, unique for its kind within the namespace.
    pub name: String,
    /// The namespace, `default` where none is written; means nothing for a Node or a Namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The identity the API server gave; empty in files people wrote themselves.
    #[serde(default)]
    pub uid: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Namespace {
    /// Name and labels.
    pub metadata: Meta,
}

/// A machine of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Name and labels.
    pub metadata: Meta,
    /// What is wished.
    #[serde(default)]
    pub spec: NodeSpec,
    /// What is.
    #[serde(default)]
    pub status: NodeStatus,
}

/// What is wished of a Node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSpec {
    /// Prefixes of its pods, as written; the first family is the cluster's first.
    #[serde(default, rename = "podCIDRs")]
    pub pod_cidrs: Vec<String>,
}

/// What is known of a Node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct NodeStatus {
    /// Addresses and names it can be reached by.
    #[serde(default)]
    pub addresses: Vec<NodeAddress>,
}

/// One way to reach a Node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname` and others.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// An address or a name, as the type says.
    pub address: String,
}
