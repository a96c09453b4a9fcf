#!/usr/bin/env bash
# Bring the gateways that Interlock is measured against: LiteLLM into .venv-litellm, Portkey (npm) into .build/portkey.
#
# What cannot be had, for want of a network or of Node, is said and left out: its row in the benchmark says so too.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="$1" python="$2"
portkey_version=1.15.2
litellm=.venv-litellm portkey=.build/portkey

if ! { "$uv" venv --quiet --clear --no-project --python "$python" "$litellm" &&
  "$uv" pip install --quiet --python "$litellm/bin/python" --require-hashes -r requirements/bench-litellm.txt; }; then
  rm -rf "$litellm"
  echo "LiteLLM could not be installed: it will be missing from the benchmark of model calls." >&2
fi

rm -rf "$portkey"
mkdir -p "$portkey"
if ! { command -v node && command -v npm; } >/dev/null; then
  if ! { "$uv" venv --quiet --clear --no-project --python "$python" "$portkey/node" &&
    "$uv" pip install --quiet --python "$portkey/node/bin/python" --require-hashes -r requirements/node.txt; }; then
    echo "No Node, and its wheel could not be installed: Portkey will be missing from the benchmark of model calls." >&2
    exit 0
  fi
  PATH="$PWD/$portkey/node/bin:$PATH"
fi
# Its streams fail with newer versions of this library, which its own ranges allow (Portkey-AI/gateway#1389).
printf '{"private": true, "overrides": {"@hono/node-server": "1.14.0"}}\n' >"$portkey/package.json"
if ! npm install --prefix "$portkey" --silent --no-audit --no-fund --no-package-lock --ignore-scripts \
  "@portkey-ai/gateway@$portkey_version"; then
  echo "Portkey could not be installed: it will be missing from the benchmark of model calls." >&2
  exit 0
fi
cat >"$portkey/portkey" <<TEXT
#!/bin/sh
exec "$(command -v node)" "$PWD/$portkey/node_modules/@portkey-ai/gateway/build/start-server.js" "\$@"
TEXT
chmod +x "$portkey/portkey"
