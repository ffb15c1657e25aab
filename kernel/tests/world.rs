//! Namespaces of our own, joined and furnished, and what a probe sees in them.
