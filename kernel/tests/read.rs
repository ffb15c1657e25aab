//! Reads namespaces made for the purpose: what is there is found, and nothing comes to be.
