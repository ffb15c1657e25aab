//! What Kubernetes promises for each Service, read from the objects as people write them.
//!
//! [`manifest`] turns files into [`api`] objects.
//! Reading the files is the caller's; how the promises are kept is not known here.

pub mod api;
pub mod manifest;
