#!/bin/sh
# The issuer's key endpoint does not answer as Room starts; then it does.
. "$(dirname "$0")/common.sh"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$HERE/keys"
cat >"$HERE/keys/jwks.json" <<'KEYS'
{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","alg":"EdDSA","use":"sig",
"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
KEYS
hosted
export ROOM_INSTANCE_ID=drill ROOM_JWT_ISSUER=https://control.example
export ROOM_JWKS_URL="http://127.0.0.1:$port/jwks.json" ROOM_ALLOW_LOOPBACK_JWKS=1
start
say "it starts all the same"
await 20 "readiness names the keys" readyz_says "keys"
expect "and is ready: those who are signed in go on" 200 \
    "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/readyz")"
expect "who is in stays in" 200 "$(status GET /api/auth/verify)"
expect_in "the doctor says so" fail "$(doctor 'keys of')"
# A token cannot be judged: the answer is not that it is wrong, or people would be signed out.
token=$(python3 - <<'PYTHON'
import base64, json, time
part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
claims = {"iss": "https://control.example", "aud": "quoroom-runtime", "sub": "someone", "role": "owner",
          "instanceId": "drill", "iat": int(time.time()), "exp": int(time.time()) + 300}
print(part({"alg": "EdDSA", "kid": "k1", "typ": "JWT"}) + "." + part(claims) + "." + "A" * 86)
PYTHON
)
judged() { curl -s -o /dev/null -w '%{http_code}' -H "Host: $HOST" -H "Authorization: Bearer $token" "http://127.0.0.1:$PORT/api/status"; }
expect "a newcomer is told to come back" 503 "$(judged)"

(cd "$HERE/keys" && exec python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1) &
OTHERS=$!
await 90 "the keys are fetched once the endpoint is back" readyz_is_silent_of "keys"
say "readiness is silent of the keys again, without a restart"
expect "and a forged token is refused for what it is" 401 "$(judged)"
