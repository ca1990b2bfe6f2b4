#!/bin/sh
# Real AT Protocol peers on loopback: `peers.sh help` says more.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec node "$here/peers.mjs" "$@"
