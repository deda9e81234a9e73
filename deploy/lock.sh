#!/bin/sh
# Pin the dependencies anew: requirements/*.txt from requirements/*.in, package-lock.json from
# package.json. uv comes into a virtual environment of its own under var/.
# No file may name a registry: everybody installs from the index that their machine is set to.
set -eu
cd "$(dirname "$0")/.."
venv="${AMGS_VAR:-var}/lock-venv"
[ -x "$venv/bin/uv" ] || { "${PYTHON:-python3.11}" -m venv "$venv" && "$venv/bin/pip" install --quiet uv; }
pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
echo "torch==2.13.0" >"$pins"

compile() { # NAME: pin requirements/NAME.in, agreeing with what was pinned before
    echo "  pinning requirements/$1.in"
    "$venv/bin/uv" pip compile "requirements/$1.in" --output-file "requirements/$1.txt" \
        --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
        --no-emit-index-url --no-emit-find-links --no-emit-package torch --constraint "$pins" $LOCK_ARGS
}

LOCK_ARGS=${LOCK_ARGS:-}
compile base
sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' requirements/base.txt >>"$pins"
compile dev
compile mlflow-server
compile mlflow-client
compile node
sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' requirements/dev.txt | sort -u - "$pins" -o "$pins"
compile backbones
npm install --package-lock-only --ignore-scripts --no-audit --no-fund \
    --omit-lockfile-registry-resolved=true
if grep -nE 'https?://|file://' requirements/*.txt package-lock.json; then
    echo "A lock file names an address; see above." >&2
    exit 1
fi
