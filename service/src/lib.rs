//! What Kubernetes promises for each Service, read from the objects as people write them.
//!
//! [`manifest`] turns files into [`api`] objects, [`Catalog`] looks things up in them.
//! Reading the files is the caller's; how the promises are kept is not known here.

pub mod api;
mod catalog;
pub mod manifest;
mod pod;
mod promise;

pub use catalog::Catalog;
pub use pod::{ParsePodNameError, Pod, PodName};
pub use promise::{Backend, Frontend, FrontendKind, Promise};
