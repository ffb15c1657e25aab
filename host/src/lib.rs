//! One machine as data: links, addresses, routes, rules, sets, sockets.

pub mod dump;
