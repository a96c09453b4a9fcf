#!/usr/bin/env bash
# Bring the official MCP inspector (npm) into a private folder, with a Node that is new enough for it.
#
# Writes <folder>/mcp-inspector, which the tests run. Without a network it writes nothing and says so: the tests that need
# it then say why they were skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="$1" python="$2" folder="$3"
version=2.12.0
needed="22.19"

new_enough() { "$1" -e "const [a, b] = process.versions.node.split('.').map(Number); const [c, d] = '$needed'.split('.').map(Number); process.exit(a > c || (a === c && b >= d) ? 0 : 1)" 2>/dev/null; }

mkdir -p "$folder"
rm -f "$folder/mcp-inspector"
node=$(command -v node || true)
if [ -z "$node" ] || ! new_enough "$node" || ! command -v npm >/dev/null; then
  "$uv" venv --quiet --clear --no-project --python "$python" "$folder/node"
  if ! "$uv" pip install --quiet --python "$folder/node/bin/python" --require-hashes -r requirements/node.txt; then
    echo "No Node >= $needed, and its wheel could not be installed: tests with the MCP inspector will be skipped." >&2
    exit 0
  fi
  PATH="$PWD/$folder/node/bin:$PATH"
fi
printf '{"private": true}\n' >"$folder/package.json"
if ! npm install --prefix "$folder" --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
  "@modelcontextprotocol/inspector@$version"; then
  echo "The MCP inspector could not be installed: tests with it will be skipped." >&2
  exit 0
fi
cat >"$folder/mcp-inspector" <<TEXT
#!/bin/sh
PATH="$(dirname "$(command -v node)"):\$PATH" exec "$PWD/$folder/node_modules/.bin/mcp-inspector" "\$@"
TEXT
chmod +x "$folder/mcp-inspector"
