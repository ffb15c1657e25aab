//! What the API server refuses although each field by itself is fine.

use std::collections::BTreeSet;

use super::tree::Place;
use crate::api::{EndpointSlice, Service};

/// What is wrong, and where in the object.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The way to the field, outermost first.
    pub(super) place: Vec<Place>,
    /// The sentence.
    pub(super) why: String,
}

/// The ports of a Service are told apart by their names, and no port is 0.
pub(super) fn service(service: &Service) -> Result<(), Wrong> {
    let mut names = BTreeSet::new();
    for (index, port) in service.spec.ports.iter().enumerate() {
        let wrong = |field: &str, why: String| Wrong {
            place: vec![key("spec"), key("ports"), Place::Index(index), key(field)],
            why,
        };
        if port.port == 0 {
            return Err(wrong("port", "0 is not a port".to_owned()));
        }
        if !names.insert(&port.name) {
            let name = &port.name;
            return Err(wrong("name", format!("two ports are named `{name}`")));
        }
    }
    Ok(())
}

/// The addresses of a slice are of its type.
pub(super) fn slice(slice: &EndpointSlice) -> Result<(), Wrong> {
    for (index, endpoint) in slice.endpoints.iter().enumerate() {
        let addrs = endpoint.addresses.iter().enumerate();
        let mut wrong = addrs.filter(|(_, addr)| !slice.address_type.has(addr));
        if let Some((at, addr)) = wrong.next() {
            let list = [key("endpoints"), Place::Index(index)];
            let item = [key("addresses"), Place::Index(at)];
            return Err(Wrong {
                place: list.into_iter().chain(item).collect(),
                why: format!("`{addr}` is not an {:?} address", slice.address_type),
            });
        }
    }
    Ok(())
}

fn key(name: &str) -> Place {
    Place::Key(name.to_owned())
}
