# SPDX-License-Identifier: Apache-2.0
# sdk.sh - the official clients of tests/sdk/package-lock.json, installed in build/sdk. Source it behind house.sh.
. tests/e2e/lib/npm.sh
sdk=build/sdk
sdk_install() { # sdk_install NAME: one check
  npm_install tests/sdk "$sdk" | tap "$1: the clients of the lock file are installed"
}
sdk_run() { # sdk_run NAME COMMAND…: its checks go on where ours ended; the number of the first is its last argument
  local name=$1 out="$dir/out" status
  shift
  "$@" $((tap_count + 1)) >"$out" 2>&1
  status=$?
  cat "$out"
  tap_count=$((tap_count + $(grep -cE '^(not )?ok ' "$out")))
  grep -q '^not ok ' "$out" && tap_failed=1 && return
  [ "$status" = 0 ] || echo "exit status $status" | tap "$name"
}
