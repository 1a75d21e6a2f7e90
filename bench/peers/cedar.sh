#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cedar.sh [CASE…]: build/bench/cedar and npm's cedar-wasm on the same policies, entities and requests, one after the other.
set -eu
cd "$(dirname "$0")/../.."
tools/deps check
. tests/e2e/lib/npm.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=$(npm_install bench/peers/cedar build/cedar_bench)
[ -z "$failed" ] || { echo "$failed" >&2; exit 1; }
for case in ${*:-roles small medium forty large}; do
  build/bench/cedar "$case"
  build/bench/cedar dump "$case" "$dir"
  node build/cedar_bench/cedar.mjs "$case" "$dir"
done
