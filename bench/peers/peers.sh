#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# peers.sh: one-setting comparison of HTTP gateways in front of a mock LLM upstream, loopback only.
# Installs (Debian + npm), starts, measures, stops everything, prints a table with ratios to nginx.
#   ./peers.sh                          all peers, 3 repetitions
#   REPS=5 SECS=4 PEERS="direct nginx haproxy modsec portkey" ./peers.sh
#   SUBJECT_CMD='./gw --listen 127.0.0.1:{port} --upstream 127.0.0.1:{upstream}' ./peers.sh   adds our gateway
#   (name: SUBJECT_NAME; more: SUBJECT2_CMD/_NAME, SUBJECT3_CMD/_NAME); NO_INSTALL=1 skips apt/npm; IDLE=10000 connections for the memory column (0 = skip)
#   TOKEN=... is sent as the bearer token. KEEP=DIR keeps raw results in DIR. PORTKEY_DIR=DIR uses an installed @portkey-ai/gateway.
# Portkey 1.15.2 answers 500 to streams with @hono/node-server > 1.14.2 (Portkey-AI/gateway#1389), so an older one is pinned.
# Pinning: gateway alone on core 1; load generator + mock on core 0 (3+ cores: mock on core 2). "direct": generator core 0, mock core 1.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
REPS=${REPS:-3} SECS=${SECS:-4} CONNS=${CONNS:-64} RATE=${RATE:-1000} IDLE=${IDLE:-10000}
PEERS=${PEERS:-direct nginx haproxy modsec portkey}
W=$(mktemp -d); R=${KEEP:-$W/results}; mkdir -p "$R"; : >"$R/raw.tsv"
PIDS=(); NPROC=$(nproc); [ "$NPROC" -ge 2 ] || { echo "needs 2 cores" >&2; exit 2; }
UPCORE=0; [ "$NPROC" -ge 3 ] && UPCORE=2
UP=${BASE_PORT:-19400}; UPD=$((UP+1)); NGX=$((UP+2)); HAP=$((UP+3)); MSC=$((UP+4)); PKY=$((UP+5)); SUB=$((UP+6)); SUB2=$((UP+7)); SUB3=$((UP+8))
stop_all() { for p in "${PIDS[@]:-}"; do [ -n "$p" ] && kill "$p" 2>/dev/null; done; wait 2>/dev/null; rm -rf "$W"; }
trap stop_all EXIT; trap 'exit 130' INT TERM
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
MAXC=$(( ($(ulimit -n) - 200) / 2 )); [ "$IDLE" -gt $((MAXC - 100)) ] && IDLE=$((MAXC - 100))
have() { command -v "$1" >/dev/null 2>&1; }
want() { case " $PEERS " in *" $1 "*) return 0;; esac; return 1; }
say() { echo "[peers] $*" >&2; }

# ---- install
if [ -z "${NO_INSTALL:-}" ]; then
  pk="gcc libc6-dev wrk nginx-light"; want haproxy && pk="$pk haproxy"; want modsec && pk="$pk libnginx-mod-http-modsecurity modsecurity-crs"
  say "installing: $pk"; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $pk >"$W/apt.log" 2>&1 || { tail -5 "$W/apt.log" >&2; say "apt-get failed; going on with what is installed"; }
  if want portkey; then have npm && (cd "$W" && echo '{"private":true,"overrides":{"@hono/node-server":"1.13.8"}}' >package.json && npm install --no-audit --no-fund "@portkey-ai/gateway@${PORTKEY_VERSION:-1.15.2}" >npm.log 2>&1) || say "npm install failed"; fi
fi
PKDIR=${PORTKEY_DIR:-$W/node_modules/@portkey-ai/gateway}
gcc -O2 -o "$W/benchkit" "$HERE/benchkit.c" || exit 2
NGINX=$(command -v nginx || echo /usr/sbin/nginx); HAPROXY=$(command -v haproxy || echo /usr/sbin/haproxy)

# ---- payloads: about 1 KB chat-completions request; the mock answers about 600 bytes
SYS='You are a careful assistant for the finance team. Answer in short sentences and cite the paragraph of the report that you used. Say so when the report does not answer.'
USR='Please summarise the attached quarterly report for the board. Revenue rose by eight percent, mostly from the new subscription plan. Operating cost stayed flat compared with the last quarter. Two hiring plans were moved to the second half of the year. The customer support team asked for a better search tool, and the sales team asked for weekly numbers by region. Explain what the board should decide this month, what can wait, and which risks remain open. Keep it below two hundred words and use plain language that a new member of the board understands without further reading. Add one line on the exchange rate.'
mkbody() { printf '{"model":"gpt-4o-mini","messages":[{"role":"system","content":"%s"},{"role":"user","content":"%s"}],"temperature":0.2,%s"max_tokens":256,"user":"%s"}' "$SYS" "$USR" "$1" "$2"; }
mkbody '' tenant-7 >"$W/json"; mkbody '"stream":true,' 'pace=0' >"$W/burst"; mkbody '"stream":true,' 'pace=5000' >"$W/pace"
printf 'Authorization: Bearer %s\nx-portkey-provider: openai\nx-portkey-custom-host: http://127.0.0.1:%s/v1\n' "${TOKEN:-sk-test-0123456789abcdef}" "$UP" >"$W/hdr"
cat >"$W/post.lua" <<L
local f = io.open("$W/json","rb"); wrk.method="POST"; wrk.body=f:read("*a"); f:close()
wrk.headers["Content-Type"]="application/json"
for l in io.lines("$W/hdr") do local k,v=l:match("^([^:]+): (.*)"); wrk.headers[k]=v end
done = function(s,l,r) io.write(string.format("W %d %d %.1f %.1f %d\n", s.requests, s.duration, l:percentile(50), l:percentile(99), s.errors.status+s.errors.read+s.errors.write+s.errors.timeout+s.errors.connect)) end
L

# ---- configurations
ngx_conf() { # file port extra_main extra_server
cat >"$1" <<N
$3
daemon off; worker_processes 1; worker_rlimit_nofile $(ulimit -n); pid $1.pid; error_log $1.err crit;
events { worker_connections $(( $(ulimit -n) - 50 )); }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_body_buffer_size 64k; tcp_nodelay on;
 client_body_temp_path $W/t1; proxy_temp_path $W/t2; fastcgi_temp_path $W/t3; uwsgi_temp_path $W/t4; scgi_temp_path $W/t5;
 upstream up { server 127.0.0.1:$UP; keepalive 256; keepalive_requests 1000000000; }
 server { listen 127.0.0.1:$2 backlog=4096; $4
  location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For \$remote_addr; } } }
N
}
hap_conf() { cat >"$1" <<H
global
 nbthread 1
 maxconn $MAXC
defaults
 mode http
 timeout client 3600s
 timeout server 3600s
 timeout connect 5s
 timeout http-keep-alive 3600s
frontend f
 bind 127.0.0.1:$HAP backlog 4096
 option forwardfor
 option http-no-delay
 default_backend b
backend b
 http-reuse always
 server s 127.0.0.1:$UP pool-max-conn 256
H
}
msc_conf() {
  local so crs; so=$(dpkg -L libnginx-mod-http-modsecurity | grep '\.so$' | head -1); crs=$(dpkg -L modsecurity-crs | grep '/REQUEST-901-INITIALIZATION.conf$' | head -1)
  cat >"$W/msc.rules" <<M
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 1310720
SecResponseBodyAccess Off
SecAuditEngine Off
SecDebugLogLevel 0
SecPcreMatchLimit 100000
SecPcreMatchLimitRecursion 100000
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/json" "id:1001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
Include $(dpkg -L modsecurity-crs | grep '/crs-setup.conf$' | head -1)
Include $(dirname "$crs")/REQUEST-*.conf
Include $(dirname "$crs")/RESPONSE-*.conf
M
  ngx_conf "$W/msc.conf" "$MSC" "load_module $so;" "modsecurity on; modsecurity_rules_file $W/msc.rules;"
}

# ---- processes
LAST=0; spawn() { local core=$1; shift; taskset -c "$core" "$@" >>"$W/log" 2>&1 & LAST=$!; PIDS+=("$LAST"); }
wait_port() { for _ in $(seq 150); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep .1; done; return 1; }
tree() { local p=$1 c; echo "$p"; for c in $(cat /proc/$p/task/*/children 2>/dev/null); do tree "$c"; done; }
ticks() { local s=0 p l; for p in $(tree "$1"); do l=$(cat "/proc/$p/stat" 2>/dev/null) || continue; set -- ${l##*) }; s=$((s + ${12} + ${13})); done; echo $s; }
rss() { local s=0 p k; for p in $(tree "$1"); do k=$(awk '/^Pss:/{print $2;exit}' "/proc/$p/smaps_rollup" 2>/dev/null); s=$((s + ${k:-0})); done; echo $s; } # proportional: shared pages count once
declare -A PORT PID
reg() { PORT[$1]=$2; PID[$1]=$LAST; if wait_port "$2"; then ACTIVE="$ACTIVE $1"; else say "$1 did not start"; tail -3 "$W/log" >&2; fi; }
ACTIVE=""
spawn "$UPCORE" "$W/benchkit" upstream "$UP"; wait_port "$UP" || { say "mock did not start"; exit 2; }
want direct && { spawn 1 "$W/benchkit" upstream "$UPD"; reg direct "$UPD"; }
want nginx && { ngx_conf "$W/ngx.conf" "$NGX" "" ""; spawn 1 "$NGINX" -c "$W/ngx.conf"; reg nginx "$NGX"; }
want haproxy && { hap_conf "$W/hap.cfg"; spawn 1 "$HAPROXY" -db -f "$W/hap.cfg"; reg haproxy "$HAP"; }
want modsec && { msc_conf; spawn 1 "$NGINX" -c "$W/msc.conf"; reg modsec "$MSC"; }
want portkey && [ -f "$PKDIR/build/start-server.js" ] && { NODE_ENV=production spawn 1 node "$PKDIR/build/start-server.js" "--port=$PKY" --headless; reg portkey "$PKY"; }
subj() { local c=${2//\{port\}/$3}; c=${c//\{upstream\}/$UP}; spawn 1 bash -c "exec $c"; reg "$1" "$3"; }
[ -n "${SUBJECT_CMD:-}" ] && subj "${SUBJECT_NAME:-subject}" "$SUBJECT_CMD" "$SUB"
[ -n "${SUBJECT2_CMD:-}" ] && subj "${SUBJECT2_NAME:-subject2}" "$SUBJECT2_CMD" "$SUB2"
[ -n "${SUBJECT3_CMD:-}" ] && subj "${SUBJECT3_NAME:-subject3}" "$SUBJECT3_CMD" "$SUB3"
kv() { sed -n "s/.*\b$2=\([0-9.]*\).*/\1/p" <<<"$1"; }
put() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$R/raw.tsv"; }
# each target must answer 200 with the expected body before it is measured
OK=""
for t in $ACTIVE; do
  o=$(taskset -c 0 "$W/benchkit" rate "${PORT[$t]}" "$W/hdr" "$W/json" 1 50 1 2>&1); d=$(kv "$o" done); e=$(kv "$o" err)
  if [ "${d:-0}" -ge 25 ] && [ "${e:-1}" = 0 ]; then OK="$OK $t"; else say "$t dropped: $o"; fi
done
measure() { # target rep
  local t=$1 p=${PORT[$1]} pid=${PID[$1]} a b o n rate
  a=$(ticks "$pid"); o=$(taskset -c 0 wrk -t1 -c"$CONNS" -d"${SECS}s" --latency -s "$W/post.lua" "http://127.0.0.1:$p/v1/chat/completions" | grep '^W '); b=$(ticks "$pid"); set -- $o
  [ $# -ge 6 ] && [ "$2" -gt 0 ] || { say "$t gave no result"; return; }
  rate=$(awk "BEGIN{r=0.4*$2*1e6/$3; print int(r<$RATE?r:$RATE)}"); put $t rate "$rate"
  put $t rps "$(awk "BEGIN{print $2*1e6/$3}")"; put $t p50_us "$4"; put $t p99_us "$5"; put $t errors "$6"
  put $t cpu_us "$(awk "BEGIN{print ($b-$a)*10000/($2+.001)}")"; put $t core_pct "$(awk "BEGIN{print ($b-$a)*1e6/$3}")"; put $t rss_kb "$(rss "$pid")"
  o=$(taskset -c 0 "$W/benchkit" rate "$p" "$W/hdr" "$W/json" 16 "$rate" "$SECS"); put $t ol_p50 "$(kv "$o" lat_us_p50)"; put $t ol_p99 "$(kv "$o" lat_us_p99)"
  a=$(ticks "$pid"); o=$(taskset -c 0 "$W/benchkit" sse "$p" "$W/hdr" "$W/burst" "$CONNS" "$SECS"); b=$(ticks "$pid"); n=$(kv "$o" events_per_s); n=${n:-0}; put $t sse_eps "$n"; put $t sse_err "$(kv "$o" err)"
  put $t sse_cpu_us "$(awk "BEGIN{print ($b-$a)*10000/($n*$SECS+.001)}")"
  a=$(ticks "$pid"); o=$(taskset -c 0 "$W/benchkit" sse "$p" "$W/hdr" "$W/pace" 16 "$SECS"); b=$(ticks "$pid"); n=$(kv "$o" events_per_s); n=${n:-0}; put $t pc_ttfb "$(kv "$o" ttfb_us_p50)"; put $t pc_d50 "$(kv "$o" delay_us_p50)"; put $t pc_d99 "$(kv "$o" delay_us_p99)"
  put $t pc_cpu_us "$(awk "BEGIN{print ($b-$a)*10000/($n*$SECS+.001)}")"; put $t pc_eps "$n"
}
for t in $OK; do taskset -c 0 wrk -t1 -c"$CONNS" -d"${WARM:-4}s" -s "$W/post.lua" "http://127.0.0.1:${PORT[$t]}/v1/chat/completions" >/dev/null 2>&1; done
for r in $(seq "$REPS"); do for t in $OK; do say "repetition $r: $t"; measure "$t"; done; done
if [ "$IDLE" -gt 0 ]; then for t in $OK; do case $t in direct|portkey) continue;; esac; say "idle memory: $t"; taskset -c 0 "$W/benchkit" idle "${PORT[$t]}" "$W/hdr" "$W/json" "$IDLE" 3 >"$W/idle" 2>&1 & ip=$!
  for _ in $(seq 300); do grep -q idle_ok "$W/idle" 2>/dev/null && break; kill -0 $ip 2>/dev/null || break; sleep .2; done; put "$t" idle_rss_kb "$(rss "${PID[$t]}")"; put "$t" idle_ok "$(kv "$(cat "$W/idle")" idle_ok)"; wait $ip; done; fi
# ---- table of medians
say "CPU: $(awk -F: '/model name/{print $2;exit}' /proc/cpuinfo), $NPROC cores, kernel $(uname -r); body $(wc -c <"$W/json") B; $REPS repetitions of $SECS s; load average $(cut -d' ' -f1 /proc/loadavg)"
awk -F'\t' -v order="$OK" '
function med(k,  n,i,j,a,x,t){ n=split(v[k],a," "); if(!n) return "-"; for(i=2;i<=n;i++){x=a[i]+0; for(j=i-1;j>0&&a[j]+0>x;j--) a[j+1]=a[j]; a[j+1]=x} return n%2?a[(n+1)/2]:(a[n/2]+a[n/2+1])/2 }
{ v[$1 SUBSEP $2]=v[$1 SUBSEP $2] " " $3 }
function f(t,k,fmt,  m){ m=med(t SUBSEP k); return m=="-"||m==""?"-":sprintf(fmt,m) }
END { n=split(order,T," "); b=med("nginx" SUBSEP "rps"); c=med("nginx" SUBSEP "cpu_us"); s=med("nginx" SUBSEP "sse_eps"); sc=med("nginx" SUBSEP "sse_cpu_us")
 if(b=="-"){b=0;c=0;s=0;sc=0}
 print "\nJSON, closed loop, medians (xNGX = ratio to nginx; cpu = processor time of the gateway per request)"
 printf "%-12s %9s %7s %8s %8s %9s %8s %6s %8s %9s %7s %5s\n","target","req/s","xNGX","p50 us","p99 us","cpu us/rq","cpu xNGX","core%","pss MB","idle MB","idleOK","errs"
 for(i=1;i<=n;i++){ t=T[i]; m=med(t SUBSEP "rps"); q=med(t SUBSEP "cpu_us"); r=med(t SUBSEP "idle_rss_kb")
  x="-"; if(b+0>0) x=sprintf("%.2f",m/b); y="-"; if(c+0>0) y=sprintf("%.2f",q/c); z="-"; if(r!="-") z=sprintf("%.1f",r/1024)
  printf "%-12s %9.0f %7s %8s %8s %9s %8s %6s %8.1f %9s %7s %5s\n",t,m,x,f(t,"p50_us","%.0f"),f(t,"p99_us","%.0f"),f(t,"cpu_us","%.1f"),y,f(t,"core_pct","%.0f"),med(t SUBSEP "rss_kb")/1024,z,f(t,"idle_ok","%d"),f(t,"errors","%d") }
 print "\nJSON open loop at a fixed rate; SSE burst (200 events a stream, unpaced) and SSE paced (5 ms between events, 16 streams)"
 printf "%-12s %6s %8s %8s | %10s %6s %9s %8s %5s | %8s %8s %8s %9s %7s\n","target","rate","p50 us","p99 us","burst ev/s","xNGX","cpu us/ev","cpu xNGX","errs","ttfb p50","dly p50","dly p99","cpu us/ev","ev/s"
 for(i=1;i<=n;i++){ t=T[i]; m=med(t SUBSEP "sse_eps"); q=med(t SUBSEP "sse_cpu_us"); x="-"; if(s+0>0) x=sprintf("%.2f",m/s); y="-"; if(sc+0>0) y=sprintf("%.2f",q/sc)
  printf "%-12s %6s %8s %8s | %10.0f %6s %9s %8s %5s | %8s %8s %8s %9s %7s\n",t,f(t,"rate","%d"),f(t,"ol_p50","%.0f"),f(t,"ol_p99","%.0f"),m,x,f(t,"sse_cpu_us","%.2f"),y,f(t,"sse_err","%d"),f(t,"pc_ttfb","%.0f"),f(t,"pc_d50","%.0f"),f(t,"pc_d99","%.0f"),f(t,"pc_cpu_us","%.1f"),f(t,"pc_eps","%.0f") }
}' "$R/raw.tsv"
