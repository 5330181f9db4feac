#!/usr/bin/env bash
# Refuses tracked files, modules included, that hold an absolute path of the machine that made them.
set -euo pipefail
cd "$(dirname "$0")/.."
if git grep -naE -e '(^|[^A-Za-z0-9_.~-])/(root|home|Users|work)/[A-Za-z0-9_.]' -- . ':!*.lock' | cut -c1-200; then
    echo "These lines hold a path of a machine. Make it relative, or remap it: see examples/build.sh." >&2
    exit 1
fi
