#!/usr/bin/env bash
# Copies the files of others that pages use from the npm packages pinned in
# package-lock.json into web/static/files, with their licences. Needs npm; run
# it after another version was pinned and commit what it changes.
set -euo pipefail
cd "$(dirname "$0")/.."
npm ci --ignore-scripts --no-audit --no-fund >/dev/null
to=web/static/files
cp node_modules/htmx.org/dist/htmx.min.js "$to/htmx.js"
cp node_modules/htmx.org/LICENSE "$to/htmx.LICENSE"
cp node_modules/weui/dist/style/weui.min.css "$to/weui.css"
cp node_modules/weui/LICENSE.txt "$to/weui.LICENSE"
mkdir -p web/webtest
cp node_modules/axe-core/axe.min.js web/webtest/axe.js
cp node_modules/axe-core/LICENSE web/webtest/axe.LICENSE
