#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# small.sh - the smallest MCP server on standard input and output, for tests that start many: it answers every request with
# its process id.
while read -r line; do
  case $line in
    *'"id":'*)
      id=${line#*\"id\":}
      printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"small","version":"1"},"content":[{"type":"text","text":"%s"}]}}\n' "${id%%[,\}]*}" $$
      ;;
  esac
done
