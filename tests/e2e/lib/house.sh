# SPDX-License-Identifier: Apache-2.0
# house.sh - for end-to-end tests: a directory, a mock upstream, a daemon in front of it, and an end that
# leaves nothing behind. Source it from the repository's root.
. tools/tap.sh
nakoso=${NAKOSO:-$PWD/build/nakoso}
dir=$(mktemp -d "${TMPDIR:-/tmp}/nakoso-e2e-XXXXXX")
pids=""
house_end() {
  for p in $pids; do kill "$p" 2>/dev/null; done
  for p in $pids; do wait "$p" 2>/dev/null; done
  [ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap house_end EXIT
free_port() { # of the 6000 from PORTS_FROM on: scripts that run at once have ports of their own
  local p
  while p=$((${PORTS_FROM:-20000} + RANDOM % 6000)); (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do :; done
  echo "$p"
}
wait_port() { # wait_port PORT
  for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.05; done
  return 1
}
house_config() { # house_config: a gateway on $port with operators' listener $admin before a mock on $mock_port
  mkdir -p "$dir/policies"
  cat >"$dir/nakoso.yaml" <<Y
listen: [{address: "127.0.0.1:$port"}]
admin: "127.0.0.1:$admin"
upstreams:
  - {name: mock, dialect: openai, url: "http://127.0.0.1:$mock_port"}
  - {name: mock-anthropic, dialect: anthropic, url: "http://127.0.0.1:$mock_port"}
models:
  - {name: echo, upstream: mock}
  - {name: gpt-4o-mini, upstream: mock}
  - {name: claude, upstream: mock-anthropic}
  - {name: secret, upstream: mock}
identity: {keys: keys.jsonl}
policy: {directory: policies}
audit: {directory: audit, checkpoint: 1s}
workers: ${workers:-1}
Y
  cat >"$dir/policies/test.cedar" <<'C'
@id("staff") permit (principal in Group::"staff", action, resource) unless { resource == Model::"secret" };
C
  printf '%s' "$key" | "$nakoso" key import --keys "$dir/keys.jsonl" --principal User:tester --group staff >/dev/null
}
house_mock() { # house_mock [ARGUMENTS…]
  "$nakoso" mock --listen "127.0.0.1:$mock_port" "$@" >"$dir/mock.log" 2>&1 &
  pids="$pids $!"
  wait_port "$mock_port" || { cat "$dir/mock.log"; return 1; }
}
house_run() { # starts the daemon; $daemon is the warden
  "$nakoso" run -c "$dir/nakoso.yaml" >>"$dir/daemon.log" 2>&1 &
  daemon=$!
  pids="$pids $daemon"
  wait_port "$port" || { cat "$dir/daemon.log"; return 1; }
}
house_ready() { # waits until all roles serve
  for _ in $(seq 100); do [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$admin/readyz")" = 200 ] && return 0; sleep 0.1; done
  return 1
}
house_decided() { # numbers of the configurations under which the log has decisions on the model echo, in order
  cat "$dir"/audit/*.jsonl | sed -n '/"kind":"decision"/{/"type":"Model","id":"echo"/s/.*"generation":\([0-9]*\).*/\1/p}' | sort -nu
}
house_stop() { kill -TERM "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; }
roles() { # roles NAME: process ids of that role
  local p
  for p in $(cat /proc/"$daemon"/task/*/children); do
    tr '\0' ' ' </proc/"$p"/cmdline | grep -q -- "--role $1" && echo "$p"
  done
}
ask() { # ask MODEL TEXT [CURL ARGUMENTS…]: prints "STATUS BODY"
  local model=$1 text=$2
  shift 2
  curl -s -m 10 -w '\n%{http_code}' -H "Authorization: Bearer $key" -H 'Content-Type: application/json' "$@" \
    -d "{\"model\":\"$model\",\"messages\":[{\"role\":\"user\",\"content\":\"$text\"}]}" \
    "http://127.0.0.1:$port/v1/chat/completions" | awk '{ last = $0; text = text prev; prev = $0 "\n" } END { print last " " text }'
}
port=$(free_port)
admin=$(free_port)
mock_port=$(free_port)
key=e2e-test-key-0123456789abcdef
