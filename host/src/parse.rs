//! Readers of text: iptables-save, `ip -j`, `ss`, `sysctl -a`. Text never fails as a whole.
