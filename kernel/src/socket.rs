//! Sockets of our own: what a connection attempt sees.
