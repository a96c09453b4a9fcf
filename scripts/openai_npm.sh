#!/usr/bin/env bash
# Bring the official OpenAI client for Node (npm) into a private folder.
#
# Writes <folder>/node, which runs a program beside that client. Without a network it writes nothing and says so: the tests
# that need it then say why they were skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$1"
version=7.55.0

mkdir -p "$folder"
rm -f "$folder/node"
# The Node that was brought for the MCP inspector serves where the machine has none of its own.
[ -d .build/inspector/node/bin ] && PATH="$PWD/.build/inspector/node/bin:$PATH"
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "There is no Node with npm: tests with OpenAI's client for Node will be skipped." >&2
  exit 0
fi
printf '{"private": true, "type": "module"}\n' >"$folder/package.json"
if ! npm install --prefix "$folder" --silent --no-audit --no-fund --no-package-lock --ignore-scripts "openai@$version"; then
  echo "OpenAI's client for Node could not be installed: tests with it will be skipped." >&2
  exit 0
fi
cat >"$folder/node" <<TEXT
#!/bin/sh
# A module finds what it imports beside itself, so the program is run from here.
program="$PWD/$folder/program-\$\$.mjs"
trap 'rm -f "\$program"' EXIT
cp "\$1" "\$program"
shift
"$(command -v node)" "\$program" "\$@"
TEXT
chmod +x "$folder/node"
