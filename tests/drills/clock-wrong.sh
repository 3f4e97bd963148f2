#!/bin/sh
# This machine's clock is wrong: as others see it, and (where Debian's libfaketime is installed) truly.
. "$(dirname "$0")/common.sh"

hosted
cat >"$HERE/endpoint.py" <<'PYTHON'
import sys, time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
KEYS = b'{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
class Endpoint(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response_only(200)
        self.send_header("Date", formatdate(time.time() + float(sys.argv[2]), usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(KEYS)))
        self.end_headers()
        self.wfile.write(KEYS)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Endpoint)
open(sys.argv[1], "w").write(str(server.server_port))
server.serve_forever()
PYTHON
endpoint() {
    rm -f "$HERE/port"
    python3 "$HERE/endpoint.py" "$HERE/port" "$1" &
    OTHERS="$OTHERS $!"
    await 20 "the key endpoint" test -s "$HERE/port"
    export ROOM_JWKS_URL="http://127.0.0.1:$(cat "$HERE/port")/jwks.json"
}
export ROOM_INSTANCE_ID=drill ROOM_JWT_ISSUER=https://control.example ROOM_ALLOW_LOOPBACK_JWKS=1
endpoint 600
expect_in "ten minutes behind, the doctor says" fail "$(doctor clock)"
expect_in "and by how much" "600 s behind" "$(doctor clock)"
endpoint 0
expect_in "put right, it says" ok "$(doctor clock)"

LIBRARY=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -1)
[ -n "$LIBRARY" ] || not_here "without faketime, only what others see of the clock was tried"
start env LD_PRELOAD="$LIBRARY" FAKETIME=+120s FAKETIME_DONT_FAKE_MONOTONIC=1
now=$(ask GET /api/status | json "it['generatedAt']")
ahead=$(($(date -d "$now" +%s) - $(date +%s)))
[ "$ahead" -gt 100 ] || fail "its clock is $ahead s ahead"
say "its clock is $ahead s ahead"
expect "who is on this machine gets in" 200 "$(status GET /api/auth/verify)"
stop
start
expect "and after the clock was put back" 200 "$(status GET /api/auth/verify)"
expect_in "the database" ok "$(doctor database)"
