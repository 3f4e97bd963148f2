#!/bin/sh
# 256 MiB for everything: in a cgroup of its own where one may be made, else measured against it.
. "$(dirname "$0")/common.sh"

LIMIT_MIB=256
install_codex
GROUP=
for root in /sys/fs/cgroup/memory /sys/fs/cgroup; do
    if [ -z "$GROUP" ] && mkdir "$root/room-drill-$$" 2>/dev/null; then
        for file in memory.max memory.limit_in_bytes; do
            if [ -f "$root/room-drill-$$/$file" ] &&
                echo $((LIMIT_MIB * 1024 * 1024)) >"$root/room-drill-$$/$file" 2>/dev/null; then
                GROUP="$root/room-drill-$$"
            fi
        done
        [ -n "$GROUP" ] || rmdir "$root/room-drill-$$"
    fi
done
trap 'end; [ -z "$GROUP" ] || rmdir "$GROUP" 2>/dev/null || true' EXIT
if [ -n "$GROUP" ]; then
    say "in a cgroup of $LIMIT_MIB MiB"
    # shellcheck disable=SC2016
    start sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$GROUP"
else
    say "no cgroup may be made here: the memory is measured and not limited"
    start
fi
session=$(connect | json "it['session']['sessionId']")
# Two hundred connections that say nothing, and two thousand requests beside them.
python3 - "$PORT" <<'PYTHON' &
import socket, sys, time
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(200)]
for one in held:
    one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
time.sleep(8)
PYTHON
OTHERS=$!
TOKEN=$TOKEN python3 - "$PORT" <<'PYTHON' || fail "someone was not served"
import http.client, os, sys
from concurrent.futures import ThreadPoolExecutor
port = int(sys.argv[1])
def work(_):
    line = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(250):
        line.request("GET", "/api/status", headers={"Host": f"localhost:{port}", "Authorization": "Bearer " + os.environ["TOKEN"]})
        answer = line.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
with ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(8)))
PYTHON
expect "the sign-in goes on" 200 "$(status POST "/api/providers/sessions/$session/cancel")"
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$SERVER/status")
say "2000 requests beside 200 connections and a sign-in: at most $((peak / 1024)) MiB resident"
[ "$peak" -lt $((LIMIT_MIB * 1024)) ] || fail "more than $LIMIT_MIB MiB"
if [ -n "$GROUP" ] && [ -f "$GROUP/memory.events" ]; then
    expect "nothing was killed for want of memory" "oom_kill 0" "$(grep '^oom_kill ' "$GROUP/memory.events")"
fi
expect "it is there" 200 "$(status GET /api/status)"
