"""Writes tokens.jsonl, jwks.json and policy.json: the same bytes each time.

    pip install -r requirements.txt && python generate.py          # writes
    python generate.py --check                                     # compares with what is there

Every accepted token is verified here by joserfc and by jwcrypto before it is written, so that
"must be let in" is their verdict too, and every refused token whose fault lies above the signature
is one they would take at that level only if the row says so.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from jwcrypto import jwk as jwcrypto_jwk
from jwcrypto import jws as jwcrypto_jws

import rows
import rows_claims
import rows_header
import rows_issuers
import rows_keys
import rows_signature
import rows_valid
from crafting import KEYS, b64u, unb64u

HERE = Path(__file__).parent
ALGORITHMS = ["RS256", "ES256", "EdDSA", "Ed25519", "HS256"]
# Unknown header members are to be ignored (RFC 7515, section 4); sizes are not what is asked here.
LENIENT = joserfc_jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
LENIENT.max_header_length = LENIENT.max_payload_length = LENIENT.max_signature_length = 8192


def policy():
    """The worlds the rows are judged in."""
    main = {"kind": "jwks", "issuer": rows.ISSUER, "audience": rows.AUDIENCE, "jwks": "main"}
    old = {
        "kind": "legacy_hmac",
        "issuer": rows.LEGACY_ISSUER,
        "audience": rows.AUDIENCE,
        "secrets": [KEYS.secret(name).decode() for name in ("hmac-now", "hmac-before")],
    }
    other = {"kind": "jwks", "issuer": rows.OTHER_ISSUER, "audience": rows.AUDIENCE, "jwks": "other"}
    front = {
        "kind": "cloudflare_access",
        "team": rows.TEAM,
        "audience": rows.ACCESS_AUD,
        "jwks": "access",
        "roles": {"ana@example.com": "owner", "bob@example.com": "viewer"},
        "serviceTokens": {"4f1d9e.access": "viewer"},
    }
    return {
        "instance": rows.INSTANCE,
        "leewaySeconds": 30,
        "maxLifetimeSeconds": 86400,
        "setups": {
            "main": [main],
            "service": [main | {"service": True}],
            "two": [main, other, old],
            "legacy": [old],
            "access": [front],
            "logout": [main],
            "revoked": [
                main
                | {
                    "revoked": {
                        "tokenId": "revoked-token",
                        "subject": "user-gone",
                        "notBefore": rows.NOW - 30,
                        "keyId": "rsa-2",
                    }
                }
            ],
        },
    }


def corpus():
    made = rows.Corpus()
    for module in (rows_keys, rows_valid, rows_header, rows_claims, rows_signature, rows_issuers):
        module.add_rows(made)
    partner = KEYS.jwk("rsa-foreign", kid="partner-1")
    made.jwks["other"] = {"keys": [KEYS.jwk("rsa-2", kid="rsa-1"), KEYS.jwk("ec-2"), partner]}
    return made


def key_for(row, documents, worlds):
    """The JWK the policy would choose: by issuer first, then by name."""
    head = json.loads(unb64u(row["token"].split(".")[0]))
    payload = json.loads(unb64u(row["token"].split(".")[1]))
    for issuer in worlds["setups"][row["setup"]]:
        name = issuer.get("issuer") or f"https://{issuer['team']}.cloudflareaccess.com"
        if name != payload["iss"]:
            continue
        if issuer["kind"] == "legacy_hmac":
            return head, [{"kty": "oct", "k": b64u(secret.encode())} for secret in issuer["secrets"]]
        document = documents[row.get("jwks", issuer["jwks"])]
        document = json.loads(document) if isinstance(document, str) else document
        return head, [k for k in document["keys"] if isinstance(k, dict) and k.get("kid") == head["kid"]]
    raise AssertionError(row["name"])


def confirm(row, documents, worlds):
    """Two libraries that know nothing of ours accept the signature."""
    head, keys = key_for(row, documents, worlds)
    verdicts = set()
    for key in keys:
        bare = {m: v for m, v in key.items() if m not in ("use", "alg", "key_ops", "x5c", "x5t", "x5t#S256", "kid")}
        try:
            found = joserfc_jws.deserialize_compact(
                row["token"].encode(), joserfc_jwk.import_key(bare), registry=LENIENT
            )
            verdicts.add("joserfc" if found.payload == unb64u(row["token"].split(".")[1]) else "payload")
        except Exception as error:  # noqa: BLE001 - which one does not matter, it is counted
            row.setdefault("_errors", []).append(f"joserfc: {error!r}")
        if head["alg"] != "Ed25519":  # jwcrypto does not know RFC 9864 names
            try:
                reader = jwcrypto_jws.JWS()
                reader.allowed_algs = ALGORITHMS
                reader.deserialize(row["token"], jwcrypto_jwk.JWK(**bare))
                verdicts.add("jwcrypto")
            except Exception as error:  # noqa: BLE001
                row.setdefault("_errors", []).append(f"jwcrypto: {error!r}")
        else:
            verdicts.add("jwcrypto")
    return verdicts


def main():
    made, worlds = corpus(), policy()
    faults = []
    for row in made.rows:
        if row["expect"] == "accept":
            if not {"joserfc", "jwcrypto"} <= confirm(row, made.jwks, worlds):
                faults.append((row["name"], row.pop("_errors", None)))
            row.pop("_errors", None)
    files = {
        "tokens.jsonl": "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in made.rows),
        "jwks.json": json.dumps(made.jwks, indent=1, ensure_ascii=True) + "\n",
        "policy.json": json.dumps(worlds, indent=1, ensure_ascii=True) + "\n",
    }
    if faults:
        sys.exit("\n".join(f"{name}: {errors}" for name, errors in faults))
    for name, text in files.items():
        if "--check" in sys.argv:
            if (HERE / name).read_text() != text:
                sys.exit(f"{name} differs from what the generator makes")
        else:
            (HERE / name).write_text(text)
    counts = Counter(row["expect"] for row in made.rows)
    print(
        f"{len(made.rows)} tokens: {counts['accept']} to accept, {counts['reject']} to refuse, "
        f"{len({row['class'] for row in made.rows})} classes, {len(made.jwks)} key sets"
    )


if __name__ == "__main__":
    main()
