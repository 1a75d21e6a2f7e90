#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# interleave.sh: paired comparison in one-second slices, for machines whose speed drifts.
#   ./interleave.sh MODE ROUNDS name:'command with {port} and {upstream}' ...      nginx (1 worker, proxy_pass) is always the first subject
#   MODE: json (64 connections, closed loop) | h2 (the same requests over HTTP/2 in cleartext: 4 connections with 16 streams each, h2load) | tls (json with TLS 1.3 to both sides; a second nginx on core 0 ends it before the model server) | rate (RATE=1000 requests/s, 16 connections) | burst (SSE, 64 streams) | pace (SSE, 16 streams, 5 ms apart)
# A subject's processes (its whole tree) run on core 1; the load and the mock model server on core 0. Printed: processor time per request or event,
# the median of the rounds' ratios to nginx, the median of the rounds' latencies, context switches. Needs nginx, wrk, gcc, h2load. TOKEN is sent as the bearer token.
set -u
HERE=$(cd "$(dirname "$0")" && pwd); M=$1; R=$2; shift 2; W=$(mktemp -d); declare -A P G; PIDS=(); UP=18400; n=$UP
done_() { for p in "${PIDS[@]:-}"; do [ -n "$p" ] && kill "$p" 2>/dev/null; done; wait 2>/dev/null; rm -rf "$W"; }
trap done_ EXIT
tree() { local p=$1 c; echo "$p"; for c in $(cat /proc/"$p"/task/*/children 2>/dev/null); do tree "$c"; done; }
ticks() { local s=0 p l; for p in $(tree "$1"); do l=$(cat "/proc/$p/stat" 2>/dev/null) || continue; set -- ${l##*) }; s=$((s + ${12} + ${13})); done; echo $s; }
csw() { local s=0 p k; for p in $(tree "$1"); do k=$(awk '/ctxt_switches/{s+=$2}END{print s+0}' "/proc/$p/status" 2>/dev/null); s=$((s + ${k:-0})); done; echo $s; }
kv() { sed -n "s/.*\b$2=\([0-9.]*\).*/\1/p" <<<"$1"; }
gcc -O2 -o "$W/benchkit" "$HERE/benchkit.c" || exit 2
TEXT='Please summarise the attached quarterly report for the board. Revenue rose by eight percent, mostly from the new subscription plan. Operating cost stayed flat compared with the last quarter. Two hiring plans were moved to the second half of the year. Explain what the board should decide this month, what can wait, and which risks remain open. Keep it below two hundred words and use plain language that a new member of the board understands without further reading.'
body() { printf '{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a careful assistant for the finance team. Answer in short sentences and cite the paragraph of the report that you used."},{"role":"user","content":"%s"}],"temperature":0.2,%s"max_tokens":256,"user":"%s"}' "$TEXT" "$1" "$2"; }
body '' tenant-7 >"$W/json"; body '"stream":true,' 'pace=0' >"$W/burst"; body '"stream":true,' 'pace=5000' >"$W/pace"
printf 'Authorization: Bearer %s\n' "${TOKEN:-sk-test-0123456789abcdef}" >"$W/hdr"
printf 'local f=io.open("%s","rb"); wrk.method="POST"; wrk.body=f:read("*a"); f:close()\nwrk.headers["Content-Type"]="application/json"; wrk.headers["Authorization"]="Bearer %s"\n' "$W/json" "${TOKEN:-sk-test-0123456789abcdef}" >"$W/post.lua"
h2=; [ "$M" != h2 ] || h2=http2
# TLS on both sides, with one certificate. A subject finds it in TLS_CERT and TLS_KEY, and an upstream that speaks https under "localhost".
scheme=http to=$UP ssl= check=
if [ "$M" = tls ]; then
  export TLS_CERT=$W/tls.pem TLS_KEY=$W/tls.key
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$TLS_KEY" -out "$TLS_CERT" 2>/dev/null || exit 2
  scheme=https to=$((UP - 1)) ssl="ssl; ssl_protocols TLSv1.3; ssl_certificate $TLS_CERT; ssl_certificate_key $TLS_KEY"
  check="proxy_ssl_verify on; proxy_ssl_trusted_certificate $TLS_CERT; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3;"
fi
ngx() { # ngx NAME LISTEN UPSTREAM_PORT UPSTREAM_SCHEME
cat >"$W/$1.conf" <<N
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid $W/$1.pid; error_log $W/$1.err crit;
events { worker_connections 10000; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_body_buffer_size 64k; tcp_nodelay on;
 client_body_temp_path $W/$1.t1; proxy_temp_path $W/$1.t2; fastcgi_temp_path $W/$1.t3; uwsgi_temp_path $W/$1.t4; scgi_temp_path $W/$1.t5;
 upstream up { server 127.0.0.1:$3; keepalive 256; keepalive_requests 1000000000; }
 server { listen 127.0.0.1:$2; $check location / { proxy_pass $4://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For \$remote_addr; } } }
N
}
NGINX=$(command -v nginx || echo /usr/sbin/nginx)
ngx ngx "$((UP + 1)) backlog=4096 $h2 $ssl" "$to" "$scheme"
[ "$M" != tls ] || { ngx up "$to backlog=4096 $ssl" "$UP" http; taskset -c 0 "$NGINX" -c "$W/up.conf" >/dev/null 2>&1 & PIDS+=($!); }
taskset -c 0 "$W/benchkit" upstream "$UP" >/dev/null 2>&1 & PIDS+=($!)
names=""
for f in "nginx:$NGINX -c $W/ngx.conf" "$@"; do
  k=${f%%:*}; c=${f#*:}; n=$((n + 1)); c=${c//\{port\}/$n}; c=${c//\{upstream\}/$to}
  taskset -c 1 bash -c "exec $c" >"$W/log.$k" 2>&1 & G[$k]=$!; PIDS+=($!); P[$k]=$n
  ok=; for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$n") 2>/dev/null && { ok=1; break; }; sleep .1; done
  [ -n "$ok" ] && names="$names $k" || { echo "$k did not start: $(tail -1 "$W/log.$k")" >&2; }
done
for r in $(seq 0 "$R"); do for k in $names; do # round 0 warms up
  p=${P[$k]}; a=$(ticks "${G[$k]}"); x=$(csw "${G[$k]}")
  case $M in
    json | tls) o=$(taskset -c 0 wrk -t1 -c64 -d1 -s "$W/post.lua" --latency "$scheme://127.0.0.1:$p/v1/chat/completions"); d=$(sed -n 's/ *\([0-9]*\) requests in.*/\1/p' <<<"$o"); l=$(awk '/ 50%/{print $2}' <<<"$o"); h=$(awk '/ 99%/{print $2}' <<<"$o"); grep -q 'Non-2xx' <<<"$o" && h="$h(errors)";;
    h2) rm -f "$W/h2.log"; o=$(taskset -c 0 h2load -D 1 -c 4 -m 16 -d "$W/json" -H 'content-type: application/json' -H "authorization: Bearer ${TOKEN:-sk-test-0123456789abcdef}" --log-file="$W/h2.log" "http://127.0.0.1:$p/v1/chat/completions"); d=$(sed -n 's/.* \([0-9]*\) succeeded.*/\1/p' <<<"$o")
      read -r l h < <(cut -f3 "$W/h2.log" | sort -n | awk '{a[NR]=$1} END {print a[int((NR + 1) / 2)] + 0, a[int(NR * .99)] + 0}'); grep -q ' 0 failed, 0 errored' <<<"$o" && grep -q ' 0 3xx, 0 4xx, 0 5xx' <<<"$o" || h="$h(errors)";;
    rate) o=$(taskset -c 0 "$W/benchkit" rate "$p" "$W/hdr" "$W/json" 16 "${RATE:-1000}" 2); d=$(kv "$o" done); l=$(kv "$o" lat_us_p50); h=$(kv "$o" lat_us_p99);;
    burst) o=$(taskset -c 0 "$W/benchkit" sse "$p" "$W/hdr" "$W/burst" 64 1); d=$(kv "$o" events_per_s); l=$(kv "$o" delay_us_p50); h=$(kv "$o" delay_us_p99);;
    pace) o=$(taskset -c 0 "$W/benchkit" sse "$p" "$W/hdr" "$W/pace" 16 2); d=$(kv "$o" events_per_s); d=$((${d%.*} * 2)); l=$(kv "$o" delay_us_p50); h=$(kv "$o" delay_us_p99);;
    *) echo "MODE?" >&2; exit 2;;
  esac
  b=$(ticks "${G[$k]}"); y=$(csw "${G[$k]}"); [ "$r" = 0 ] || printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$k" "$r" "${d:-0}" "$(awk "BEGIN{print ($b-$a)*10000/(${d:-0}+.01)}")" "${l:--}" "${h:--}" "$(awk "BEGIN{print ($y-$x)/(${d:-0}+.01)}")" >>"$W/tsv"
done; done
printf '%s: %-14s %8s %24s %14s %9s %12s %9s\n' "$M" subject units 'cpu us median [min..max]' 'paired x nginx' 'p50 us' 'p99 us' switches
awk -F'\t' -v names="$names" '
function med(s, m,a,i,j,x){ m=split(s,a," "); for(i=2;i<=m;i++){x=a[i]+0; for(j=i-1;j>0&&a[j]+0>x;j--)a[j+1]=a[j]; a[j+1]=x}; lo=a[1]; hi=a[m]; return m%2?a[(m+1)/2]:(a[m/2]+a[m/2+1])/2 }
function us(x) { return x ~ /us/ ? x + 0 : x ~ /ms/ ? x * 1000 : x ~ /[0-9]s/ ? x * 1000000 : x + 0 }
{ if ($6 ~ /errors/) bad[$1]="(errors)"; c[$1]=c[$1]" "$4; d[$1]=d[$1]" "$3; w[$1]=w[$1]" "$7; v[$1,$2]=$4; l[$1]=l[$1]" "us($5); h[$1]=h[$1]" "us($6); if($2>R)R=$2 }
END { m=split(names,N," "); for(i=1;i<=m;i++){ k=N[i]; q=""; for(r=1;r<=R;r++) if(v["nginx",r]>0) q=q" "(v[k,r]/v["nginx",r]); dm=med(d[k]); rm=med(q); wm=med(w[k]); lm=med(l[k]); hm=med(h[k]); cm=med(c[k]); printf "      %-14s %8.0f %10.2f [%.1f..%.1f] %12.3f %12.0f %12s %9.3f\n",k,dm,cm,lo,hi,rm,lm,sprintf("%.0f",hm) bad[k],wm } }' "$W/tsv"
