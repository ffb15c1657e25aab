//! How a Service and one of its ports are called.

use std::fmt;
use std::str::FromStr;

/// `NAMESPACE/NAME:PORT`; a Service with one unnamed port has no port name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName {
    /// The namespace.
    pub namespace: String,
    /// The Service's own name.
    pub name: String,
    /// The name of the port; empty where the Service does not name it.
    pub port: String,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)?;
        if self.port.is_empty() {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

/// Why a text names no Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseServiceNameError(String);

impl fmt::Display for ParseServiceNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no NAMESPACE/NAME or NAMESPACE/NAME:PORT",
            self.0
        )
    }
}

impl std::error::Error for ParseServiceNameError {}

/// Whether `text` has the letters of a Kubernetes name (RFC 1123 label, dots allowed).
fn is_label(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(inside)
}

impl FromStr for ServiceName {
    type Err = ParseServiceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseServiceNameError(text.to_owned());
        let (namespace, rest) = text.split_once('/').ok_or_else(wrong)?;
        let (name, port) = rest.split_once(':').unwrap_or((rest, ""));
        let whole = is_label(namespace) && is_label(name) && (port.is_empty() || is_label(port));
        whole
            .then(|| Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                port: port.to_owned(),
            })
            .ok_or_else(wrong)
    }
}
