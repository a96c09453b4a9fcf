#!/usr/bin/env bash
# Write requirements/*.txt anew from pyproject.toml: exact versions with hashes, for every platform and Python >= 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="$1"

pin() {
  local name="$1"
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command "make pins" --output-file "requirements/$name.txt" --upgrade "$@"
}

constrained() { pin "$@" --constraint requirements/full.txt; }

pin full pyproject.toml --all-extras
constrained runtime pyproject.toml
constrained dev pyproject.toml --all-extras --group dev
constrained docs --group docs
constrained bench pyproject.toml --all-extras --group bench
pin embeddings --no-deps requirements/embeddings.in
pin clients requirements/clients.in
pin prices --no-deps requirements/prices.in
pin build requirements/build.in
pin uv requirements/uv.in
pin postgres requirements/postgres.in
pin node requirements/node.in
pin bench-litellm requirements/bench-litellm.in
pin phoenix requirements/phoenix.in
