# SPDX-License-Identifier: Apache-2.0
# npm.sh - npm_install DIRECTORY TO: the packages of DIRECTORY's lock file, and its programs, in TO.
npm_install() {
  local from=$1 to=$2
  mkdir -p "$to"
  if ! cmp -s "$from/package-lock.json" "$to/package-lock.json" || [ ! -e "$to/node_modules/.package-lock.json" ]; then
    cp "$from/package.json" "$from/package-lock.json" "$to"
    npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund >"$dir/npm.log" 2>&1 ||
      { rm -f "$to/package-lock.json"; cat "$dir/npm.log"; }
  fi
  cp "$from"/*.mjs "$to"
}
