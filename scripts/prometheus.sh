#!/usr/bin/env bash
# Bring promtool and prometheus into a private folder: those on PATH, else Debian's package, unpacked and not installed.
#
# Without either it writes nothing and says so: the tests that need them then say why they were skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/$1"
mkdir -p "$folder"
rm -f "$folder/promtool" "$folder/prometheus"
if command -v promtool >/dev/null && command -v prometheus >/dev/null; then
  ln -s "$(command -v promtool)" "$folder/promtool"
  ln -s "$(command -v prometheus)" "$folder/prometheus"
  exit 0
fi
unpacked="$folder/unpacked"
rm -rf "$unpacked"
mkdir -p "$unpacked"
cd "$unpacked"
if { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } >/dev/null 2>&1 &&
  dpkg-deb --extract prometheus_*.deb . 2>/dev/null && [ -x usr/bin/promtool ] && usr/bin/promtool --version >/dev/null 2>&1; then
  rm -f prometheus_*.deb
  ln -s unpacked/usr/bin/promtool unpacked/usr/bin/prometheus "$folder/"
else
  echo "promtool is not on PATH and Debian's package could not be had: tests of the alerts will be skipped." >&2
  echo "To enable them: apt-get install prometheus" >&2
fi
