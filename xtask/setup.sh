#!/bin/sh
# Installs what the demo or the tests need and this machine lacks. Shell, because it runs
# before anything is built. Nothing is asked, and nothing is done where nothing is missing.
#
#   sh xtask/setup.sh demo|test|browser
set -eu
PATH="$PATH:/usr/sbin:/sbin:${HOME:-/root}/.cargo/bin"

# Pairs COMMAND:PACKAGES. The demo makes its links and namespaces itself.
demo='cc:gcc,libc6-dev iptables:iptables'
test="$demo c++:g++ nft:nftables ip:iproute2 ipset:ipset conntrack:conntrack"
# Letters of many scripts, so that pictures show what people would see.
browser="cc:gcc,libc6-dev chromium:chromium,fonts-dejavu-core"

case "${1:-}" in
demo) wanted=$demo ;;
test) wanted=$test ;;
browser) wanted=$browser ;;
*) echo "usage: sh xtask/setup.sh demo|test|browser" >&2 && exit 2 ;;
esac

if ! command -v cargo >/dev/null; then
    echo "setup: cargo is missing: install Rust as https://rustup.rs says, then try again" >&2
    exit 1
fi

missing=
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing $(echo "${pair#*:}" | tr , ' ')"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: these Debian packages are missing, install them as root:$missing" >&2
    exit 1
fi

echo "setup: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
apt-get install -y -qq --no-install-recommends $missing >/dev/null
