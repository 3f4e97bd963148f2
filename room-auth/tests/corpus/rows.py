"""How a row is written down: one world, one token, one expected answer."""

from crafting import KEYS, b64u, compact, dumps, sign

NOW = 1_800_000_000  # 2027-01-15T08:00:00Z
ISSUER = "https://control.room.example"
OTHER_ISSUER = "https://login.partner.example/tenant/7"
LEGACY_ISSUER = "quoroom-cloud"
AUDIENCE = "quoroom-runtime"
INSTANCE = "inst-7f3a"
TEAM = "acme"
ACCESS_ISSUER = "https://acme.cloudflareaccess.com"
ACCESS_AUD = "32eafc7626e737b3a9b2a5e6b9bd6b7eb2ef3b1e37c5e25ee3bb2e6e7a1f9a10"

# Why a token is refused, by the stable codes of `room_auth::Reason`, and what the caller is told:
# the table in "Errors". Each token has one fault, so the order of the checks decides nothing but
# where a fault lies below another one (an HMAC token names an issuer that has no secret).
STATUS = {
    "encoding": 400,
    "oversized": 400,
    "header": 401,
    "extension": 401,
    "type": 401,
    "algorithm": 401,
    "key_id": 401,
    "unknown_key": 401,
    "ambiguous_key": 401,
    "key_algorithm": 401,
    "signature": 401,
    "payload": 401,
    "unknown_issuer": 401,
    "audience": 401,
    "instance": 401,
    "dates": 401,
    "expired": 401,
    "not_yet_valid": 401,
    "issued_in_future": 401,
    "lifetime": 401,
    "subject": 401,
    "claim": 401,
    "role": 403,
    "service_not_allowed": 403,
    "revoked": 401,
    "no_keys": 503,
    "assertion_type": 401,
    "assertion_email": 401,
    "email_header": 401,
    "not_mapped": 403,
    "logout_event": 401,
    "logout_nonce": 401,
    "replayed": 401,
}

KID = {"RS256": "rsa-1", "ES256": "ec-1", "EdDSA": "ed-1", "Ed25519": "ed-1"}


class Corpus:
    """Collects rows; a name is used once."""

    def __init__(self):
        self.rows, self.names, self.jwks = [], set(), {}

    def add(self, name, kind, token, reason=None, **fields):
        """A row: refused for `reason`, or accepted where there is none."""
        assert name not in self.names, name
        assert reason is None or reason in STATUS, reason
        self.names.add(name)
        row = {"name": name, "class": kind, "setup": fields.pop("setup", "main")}
        if "jwks" in fields:
            row["jwks"] = fields.pop("jwks")
        row.update({"source": fields.pop("source", "bearer"), "now": fields.pop("now", NOW)})
        row["expect"] = "reject" if reason else "accept"
        if reason:
            row.update({"status": STATUS[reason], "reason": reason})
        row.update(fields)
        row["token"] = token
        self.rows.append(row)

    def ok(self, name, kind, token, **fields):
        """A row that must be let in; by default as the owner the plain claims name."""
        fields = {"role": "owner", "subject": "user-1", **fields}
        self.add(name, kind, token, None, **fields)


def claims(name, /, **changes):
    """The claims of a plain valid token; a change to None removes the claim."""
    plain = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "instanceId": INSTANCE,
        "role": "owner",
        "iat": NOW - 60,
        "exp": NOW + 600,
        "jti": name,
    }
    plain.update(changes)
    return {k: v for k, v in plain.items() if v is not None}


def header(alg="RS256", **changes):
    plain = {"alg": alg, "kid": KID.get(alg), "typ": "JWT"}
    plain.update(changes)
    return {k: v for k, v in plain.items() if v is not None}


def token(payload, alg="RS256", key=None, head=None, how=None):
    """A compact token, rightly signed by `key` (the usual one of `alg`) unless told otherwise."""
    name = key or KID[alg]
    return compact(
        header(alg) if head is None else head,
        payload,
        (lambda message: sign(alg, name, message)) if how is None else how,
    )


def spoiled(row_name, /, **changes):
    """A valid signature over claims with one change."""
    return token(claims(row_name, **changes))


def with_raw(row_name, member, raw, /, **changes):
    """Claims whose `member` has the JSON text `raw`, which Python may not be able to write."""
    plain = claims(row_name, **changes)
    plain.pop(member, None)
    return dumps(plain)[:-1] + f',"{member}":{raw}}}'


__all__ = [name for name in dir() if not name.startswith("_")] + ["KEYS", "b64u"]
