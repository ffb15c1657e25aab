//! Words that all crates share: families, prefixes, protocols, ports, names.
//!
//! Values only: nothing here reads a host or decides anything.

mod addr;
mod name;
mod proto;

pub use addr::{
    Endpoint, Family, ParseEndpointError, ParsePrefixError, Prefix, addr_bits, addr_of, octets,
};
pub use name::{ParseServiceNameError, ServiceName};
pub use proto::{ParseProtoError, Proto};
