//! What the project is tested with: cases, laws, and a small world of network namespaces.

pub mod case;
pub mod live;
pub mod plain;
pub mod recorded;
pub mod truth;
pub mod world;
