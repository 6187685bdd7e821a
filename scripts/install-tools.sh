#!/usr/bin/env bash
# Installs what tests need, from Debian's packages, when it is missing and may
# be installed: by root or by sudo without a password.
#
#   scripts/install-tools.sh postgres|cc|chromium|mosquitto|node
#
# Ends with 0 when the tool is there, with 3 when it is not: then the last line
# says what is skipped and how to get it. MIANMI_NO_INSTALL=1 forbids installing.
# With node come the packages from npm that a test's client is made of.
set -euo pipefail

postgres_min=15 # as in store/pgtest
client=$(dirname "$0")/../api/wechatv3/testdata/node

postgres_version() { # the newest installed major version, or 0
  local best=0 v initdb
  for initdb in "$(command -v initdb || true)" /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$initdb" ] || continue
    v=$("$initdb" --version | sed -E 's/.* ([0-9]+).*/\1/')
    if [ "$v" -gt "$best" ]; then best=$v; fi
  done
  echo "$best"
}

have() {
  case $tool in
    postgres) [ "$(postgres_version)" -ge "$postgres_min" ] ;;
    cc) command -v gcc >/dev/null || command -v clang >/dev/null ;;
    chromium) command -v chromium >/dev/null ;;
    mosquitto) command -v mosquitto_sub >/dev/null && command -v mosquitto_pub >/dev/null ;;
    node) command -v node >/dev/null && command -v npm >/dev/null ;;
  esac
}

# ready gets what lies in no package of Debian's.
ready() {
  [ "$tool" = node ] || return 0
  if [ "$client/node_modules/.package-lock.json" -nt "$client/package-lock.json" ]; then return 0; fi
  [ -z "${MIANMI_NO_INSTALL:-}" ] || { why="MIANMI_NO_INSTALL is set"; return 1; }
  (cd "$client" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000) >"$log" 2>&1 && return
  why="npm could not install the client: $(tail -n 3 "$log" | tr '\n' ' ')"
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  [ -z "${MIANMI_NO_INSTALL:-}" ] || { why="MIANMI_NO_INSTALL is set"; return 1; }
  command -v apt-get >/dev/null || { why="there is no apt-get"; return 1; }
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || { why="neither root nor sudo without a password"; return 1; }
}

candidate() { # major version of the package that apt would install, or 0
  apt-cache policy "$1" 2>/dev/null | sed -nE 's/^ *Candidate: ([0-9]+).*/\1/p' | grep . || echo 0
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1
}

install() {
  if [ "$tool" = postgres ] && [ "$(candidate postgresql)" -lt "$postgres_min" ]; then
    as_root apt-get update -q >"$log" 2>&1 || true
    if [ "$(candidate postgresql)" -lt "$postgres_min" ]; then
      why="this system's packages have no PostgreSQL $postgres_min"
      return 1
    fi
  fi
  echo "installing ${packages[*]} with apt-get"
  # Lookups fail where the lists are old: fetch them and try again.
  apt_install "${packages[@]}" && return
  as_root apt-get update -q >"$log" 2>&1 || true
  apt_install "${packages[@]}" && return
  why="apt-get could not install ${packages[*]}: $(tail -n 3 "$log" | tr '\n' ' ')"
  return 1
}

tool=${1:?postgres, cc, chromium, mosquitto or node}
case $tool in
  postgres) packages=(postgresql) skipped="the tests on PostgreSQL; install PostgreSQL $postgres_min or newer" ;;
  cc) packages=(gcc libc6-dev) skipped="the race detector; install a C compiler (gcc, libc6-dev)" ;;
  chromium) packages=(chromium fonts-noto-cjk) skipped="the tests in a browser; install Chromium" ;;
  mosquitto) packages=(mosquitto-clients) skipped="the test with the clients of mosquitto; install mosquitto-clients" ;;
  node) packages=(nodejs npm) skipped="the test with a client in JavaScript; install Node.js and npm" ;;
  *) echo "unknown tool $tool: postgres, cc, chromium, mosquitto or node" >&2; exit 2 ;;
esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT
why="it is missing"

if have || { may_install && install && have; }; then
  if ready; then exit 0; fi
fi
echo "SKIPPED: $skipped ($why)" >&2
exit 3
