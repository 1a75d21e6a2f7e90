# SPDX-License-Identifier: Apache-2.0
# tap.sh - for scripts that print TAP: `tap NAME < what is wrong` is one check that passes when
# nothing comes in (else it is shown as comments); tap_skip NAME WHY; tap_done ends the script.
shopt -s lastpipe # so that `… | tap NAME` counts in this shell
tap_count=0
tap_failed=0
tap() {
  local wrong
  wrong=$(head -50)
  tap_count=$((tap_count + 1))
  if [ -z "$wrong" ]; then
    echo "ok $tap_count - $1"
  else
    echo "not ok $tap_count - $1"
    while IFS= read -r line; do printf '#   %s\n' "$line"; done <<<"$wrong"
    tap_failed=1
  fi
}
tap_skip() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}
tap_done() {
  echo "1..$tap_count"
  exit "$tap_failed"
}
