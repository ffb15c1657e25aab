//! Decoders of what the kernel answers: nftables, xt structs, ipsets, sockets, routes.
