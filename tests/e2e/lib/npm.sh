# SPDX-License-Identifier: Apache-2.0
# npm.sh - npm_install DIRECTORY TO: the packages of DIRECTORY's lock file, and its programs, in TO. Scripts that run at once
# wait for each other, and nothing is written that is there already.
npm_install() {
  local from=$1 to=$2 f
  mkdir -p "$to"
  exec 8>"$to/.lock"
  flock 8
  if ! cmp -s "$from/package-lock.json" "$to/package-lock.json" || [ ! -e "$to/node_modules/.package-lock.json" ]; then
    cp "$from/package.json" "$from/package-lock.json" "$to"
    npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund >"$dir/npm.log" 2>&1 ||
      { rm -f "$to/package-lock.json"; cat "$dir/npm.log"; }
  fi
  for f in "$from"/*.mjs; do npm_copy "$f" "$to"; done
  exec 8>&-
}
npm_copy() { # npm_copy FILE TO: the file appears whole
  local name=${1##*/}
  cmp -s "$1" "$2/$name" || { cp "$1" "$2/.$name.$$" && mv "$2/.$name.$$" "$2/$name"; }
}
