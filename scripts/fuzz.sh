#!/usr/bin/env bash
# Runs every fuzz target of the tree, one after the other.
#
#   scripts/fuzz.sh [TIME]   TIME for each, default 1m
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-1m}

grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u | while read -r dir; do
  for target in $(grep -hoE '^func Fuzz\w+' "$dir"/*_test.go | sed 's/^func //'); do
    echo "fuzz $dir $target for $each"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "$dir"
  done
done
