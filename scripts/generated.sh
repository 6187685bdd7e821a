#!/usr/bin/env bash
# Generates every generated file again and fails when that changes the tree.
# The tree may have changes of its own: before and after are compared.
set -euo pipefail
cd "$(dirname "$0")/.."

state() { git status --porcelain --untracked-files=all; git diff --no-ext-diff | git hash-object --stdin; }

if ! grep -rq --include='*.go' '^//go:generate ' .; then exit 0; fi
before=$(state)
go generate ./...
after=$(state)
if [ "$before" != "$after" ]; then
  echo "generated files are not what 'make generate' makes:" >&2
  diff <(echo "$before") <(echo "$after") >&2 || true
  git --no-pager diff --stat >&2
  exit 1
fi
