"""What each kind of issuer adds: legacy HMAC, Cloudflare Access, back-channel logout, revocation."""

from crafting import KEYS, compact, dumps, hmac, sign, unb64u
from rows import (
    ACCESS_AUD,
    ACCESS_ISSUER,
    AUDIENCE,
    INSTANCE,
    ISSUER,
    LEGACY_ISSUER,
    NOW,
    OTHER_ISSUER,
    claims,
    header,
    token,
)

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def add_rows(corpus):
    several_issuers(corpus)
    legacy(corpus)
    access(corpus)
    logout(corpus)
    revoked(corpus)


def several_issuers(corpus):
    """One table of several: a key signs for its own issuer only."""
    pem = KEYS.pem("rsa-1")
    for name, made, reason in (
        (
            "two_first_key_second_issuer",
            token(claims("two_a", iss=OTHER_ISSUER), key="rsa-3072", head=header(kid="rsa-3072")),
            "unknown_key",
        ),
        (
            "two_second_key_first_issuer",
            token(claims("two_b"), key="rsa-foreign", head=header(kid="partner-1")),
            "unknown_key",
        ),
        ("two_same_kid_second_key_first_issuer", token(claims("two_c"), key="rsa-2"), "signature"),
        ("two_same_kid_first_key_second_issuer", token(claims("two_d", iss=OTHER_ISSUER), key="rsa-1"), "signature"),
        ("two_array_of_both", token(claims("two_e", iss=[ISSUER, OTHER_ISSUER])), "unknown_issuer"),
        (
            "two_legacy_secret_first_issuer",
            compact(header("HS256", kid="rsa-1"), claims("two_f"), lambda m: sign("HS256", "hmac-now", m)),
            "unknown_issuer",
        ),
        ("two_rsa_key_legacy_issuer", token(legacy_claims("two_g"), head=header(kid="rsa-1")), "unknown_issuer"),
        (
            "two_pem_as_legacy_secret",
            compact({"alg": "HS256"}, legacy_claims("two_h"), lambda m: hmac("HS256", pem, m)),
            "signature",
        ),
        (
            "two_pem_as_legacy_secret_kid",
            compact({"alg": "HS256", "kid": "rsa-1"}, legacy_claims("two_i"), lambda m: hmac("HS256", pem, m)),
            "signature",
        ),
        ("two_issuer_header_only", token(claims("two_j", iss=None), head=header(iss=ISSUER)), "unknown_issuer"),
        ("two_audience_of_second", token(claims("two_k", aud="partner-app")), "audience"),
    ):
        kind = "confusion" if "legacy" in name else "cross-issuer"
        corpus.add(name, kind, made, reason, setup="two")
    corpus.ok("ok_two_legacy", "valid", legacy_token("ok_two_legacy"), setup="two", subject="user-9")


def legacy_claims(name, /, **changes):
    plain = {
        "iss": LEGACY_ISSUER,
        "aud": AUDIENCE,
        "sub": "user-9",
        "instanceId": INSTANCE,
        "role": "owner",
        "exp": NOW + 600,
    }
    plain.update(changes)
    return {k: v for k, v in plain.items() if v is not None} | {"jti": name}


def legacy_token(name, secret="hmac-now", /, head=None, **changes):
    return compact(
        head or {"alg": "HS256", "typ": "JWT"}, legacy_claims(name, **changes), lambda m: sign("HS256", secret, m)
    )


def legacy(corpus):
    def ok(name, made, **fields):
        corpus.ok(name, "legacy", made, setup="legacy", **{"subject": "user-9", **fields})

    ok("ok_legacy", legacy_token("ok_legacy"))
    ok("ok_legacy_previous_secret", legacy_token("ok_legacy_previous_secret", "hmac-before"))
    ok("ok_legacy_role_user", legacy_token("ok_legacy_role_user", role="user"))
    ok("ok_legacy_no_role", legacy_token("ok_legacy_no_role", role=None))
    for role in ("admin", "member", "viewer"):
        ok(f"ok_legacy_{role}", legacy_token(f"ok_legacy_{role}", role=role), role=role)
    ok("ok_legacy_with_iat", legacy_token("ok_legacy_with_iat", iat=NOW - 60))
    ok("ok_legacy_no_typ", legacy_token("ok_legacy_no_typ", head={"alg": "HS256"}))
    ok("ok_legacy_kid_ignored", legacy_token("ok_legacy_kid_ignored", head={"alg": "HS256", "kid": "k1", "typ": "JWT"}))
    ok("ok_legacy_email", legacy_token("ok_legacy_email", email="ana@example.com", name="Ana"))
    ok("ok_legacy_leeway", legacy_token("ok_legacy_leeway", exp=NOW - 29))
    ok("ok_legacy_nbf", legacy_token("ok_legacy_nbf", nbf=NOW - 5))
    ok("ok_legacy_lifetime_24h", legacy_token("ok_legacy_lifetime_24h", iat=NOW, exp=NOW + 86400))

    def no(name, made, reason, kind="legacy"):
        corpus.add(name, kind, made, reason, setup="legacy")

    secret = KEYS.secret("hmac-now")
    no("legacy_stranger", legacy_token("legacy_stranger", "hmac-stranger"), "signature")
    for form, weak in {
        "empty": b"",
        "secret": b"secret",
        "changeme": b"changeme",
        "zeros": bytes(48),
        "bytes_of_secret": unb64u(KEYS.raw["hmac-now"]["k"]),
        "hex_of_secret": secret.hex().encode(),
        "secret_cut": secret[:32],
        "secret_longer": secret + b"\0",
        "secret_newline": secret + b"\n",
        "both_secrets": secret + KEYS.secret("hmac-before"),
    }.items():
        name = f"legacy_key_{form}"
        made = compact({"alg": "HS256", "typ": "JWT"}, legacy_claims(name), lambda m, w=weak: hmac("HS256", w, m))
        no(name, made, "signature", "confusion")
    # HMAC pads a short key with zeros to its block (RFC 2104): the same key, the same tag.
    padded = KEYS.secret("hmac-before") + b"\0"
    ok(
        "ok_legacy_key_zero_padded",
        compact(
            {"alg": "HS256", "typ": "JWT"},
            legacy_claims("ok_legacy_key_zero_padded"),
            lambda m: hmac("HS256", padded, m),
        ),
    )
    for alg in ("HS384", "HS512"):
        name = f"legacy_{alg.lower()}"
        no(
            name,
            compact({"alg": alg, "typ": "JWT"}, legacy_claims(name), lambda m, a=alg: hmac(a, secret, m)),
            "algorithm",
        )
    for alg in ("none", "hs256", "HS256 ", "None"):
        name = "legacy_alg_" + {"none": "none", "hs256": "lower", "HS256 ": "space", "None": "none_title"}[alg]
        no(
            name,
            compact({"alg": alg}, legacy_claims(name), lambda m: hmac("HS256", secret, m) if alg != "none" else b""),
            "algorithm",
        )
    for alg, key in (("RS256", "rsa-1"), ("ES256", "ec-1"), ("EdDSA", "ed-1")):
        name = f"legacy_asymmetric_{alg.lower()}"
        no(name, token(legacy_claims(name), alg, key), "unknown_issuer", "confusion")
    name = "legacy_hmac_cut"
    no(name, compact({"alg": "HS256"}, legacy_claims(name), lambda m: hmac("HS256", secret, m)[:16]), "signature")
    no("legacy_hmac_empty", compact({"alg": "HS256"}, legacy_claims("legacy_hmac_empty"), b""), "signature")
    no(
        "legacy_hmac_long",
        compact({"alg": "HS256"}, legacy_claims("legacy_hmac_long"), lambda m: hmac("HS256", secret, m) + b"\0"),
        "signature",
    )
    no(
        "legacy_hmac_last_bit",
        compact(
            {"alg": "HS256"},
            legacy_claims("legacy_hmac_last_bit"),
            lambda m: hmac("HS256", secret, m)[:-1] + bytes([hmac("HS256", secret, m)[-1] ^ 1]),
        ),
        "signature",
    )
    for name, changes, reason in (
        ("legacy_role_unknown", {"role": "root"}, "role"),
        ("legacy_role_control", {"role": "control"}, "service_not_allowed"),
        ("legacy_role_empty", {"role": ""}, "role"),
        ("legacy_role_array", {"role": ["user"]}, "role"),
        ("legacy_role_case", {"role": "User"}, "role"),
        ("legacy_instance_missing", {"instanceId": None}, "instance"),
        ("legacy_instance_wrong", {"instanceId": "inst-0000"}, "instance"),
        ("legacy_aud_wrong", {"aud": "quoroom"}, "audience"),
        ("legacy_aud_missing", {"aud": None}, "audience"),
        ("legacy_expired", {"exp": NOW - 31}, "expired"),
        ("legacy_exp_missing", {"exp": None}, "dates"),
        ("legacy_nbf_future", {"nbf": NOW + 31}, "not_yet_valid"),
        ("legacy_lifetime", {"iat": NOW, "exp": NOW + 86401}, "lifetime"),
        ("legacy_lifetime_without_iat", {"exp": NOW + 86400 + 31}, "lifetime"),
        ("legacy_sub_missing", {"sub": None}, "subject"),
        ("legacy_iat_string", {"iat": str(NOW)}, "dates"),
        ("legacy_iss_case", {"iss": "Quoroom-Cloud"}, "unknown_issuer"),
        ("legacy_iss_of_jwks", {"iss": ISSUER}, "unknown_issuer"),
        ("legacy_iss_missing", {"iss": None}, "unknown_issuer"),
        ("legacy_iss_array", {"iss": [LEGACY_ISSUER]}, "unknown_issuer"),
    ):
        no(name, legacy_token(name, **changes), reason)
    no(
        "legacy_role_null",
        compact(
            {"alg": "HS256"},
            dumps(legacy_claims("legacy_role_null", role=None))[:-1] + ',"role":null}',
            lambda m: hmac("HS256", secret, m),
        ),
        "role",
    )
    no(
        "legacy_duplicate_role",
        compact(
            {"alg": "HS256"},
            dumps(legacy_claims("legacy_duplicate_role", role="viewer"))[:-1] + ',"role":"owner"}',
            lambda m: hmac("HS256", secret, m),
        ),
        "payload",
    )
    no("legacy_crit", legacy_token("legacy_crit", head={"alg": "HS256", "crit": ["exp"]}), "extension")
    no("legacy_typ", legacy_token("legacy_typ", head={"alg": "HS256", "typ": "at+jwt"}), "type")


def access_claims(name, /, **changes):
    plain = {
        "aud": [ACCESS_AUD],
        "email": "ana@example.com",
        "exp": NOW + 600,
        "iat": NOW - 60,
        "nbf": NOW - 60,
        "iss": ACCESS_ISSUER,
        "type": "app",
        "identity_nonce": name,
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
        "country": "AM",
    }
    plain.update(changes)
    return {k: v for k, v in plain.items() if v is not None}


def assertion(name, /, key="rsa-access", head=None, **changes):
    return token(access_claims(name, **changes), key=key, head=head or {"alg": "RS256", "kid": "rsa-access"})


def access(corpus):
    corpus.jwks["access"] = {
        "keys": [KEYS.jwk("rsa-access"), KEYS.jwk("ec-2", kid="ec-access")],
        "public_cert": {"kid": "rsa-access", "cert": "-----BEGIN CERTIFICATE-----"},
        "public_certs": [],
    }

    def ok(name, made, **fields):
        corpus.ok(
            name,
            "access",
            made,
            setup="access",
            source="access",
            **{"subject": "7335d417-61da-459d-899c-0a01c76a2f94", **fields},
        )

    def no(name, made, reason, **fields):
        corpus.add(name, "access", made, reason, setup="access", source="access", **fields)

    ok("ok_access", assertion("ok_access"))
    ok("ok_access_email_header", assertion("ok_access_email_header"), email_header="ana@example.com")
    ok(
        "ok_access_viewer",
        assertion("ok_access_viewer", email="bob@example.com", sub="bob-1"),
        role="viewer",
        subject="bob-1",
    )
    ok("ok_access_aud_two", assertion("ok_access_aud_two", aud=["f" * 64, ACCESS_AUD]))
    ok("ok_access_typ", assertion("ok_access_typ", head={"alg": "RS256", "kid": "rsa-access", "typ": "JWT"}))
    ok(
        "ok_access_service_token",
        assertion("ok_access_service_token", email=None, sub="", common_name="4f1d9e.access", identity_nonce=None),
        role="viewer",
        subject="service-token:4f1d9e.access",
    )
    ok("ok_access_custom_claims", assertion("ok_access_custom_claims", custom={"groups": ["a"]}, **{"https://x": 1}))
    for name, changes, reason in (
        ("access_aud_wrong", {"aud": ["0" * 64]}, "audience"),
        ("access_aud_case", {"aud": [ACCESS_AUD.upper()]}, "audience"),
        ("access_aud_empty", {"aud": []}, "audience"),
        ("access_aud_missing", {"aud": None}, "audience"),
        ("access_aud_prefix", {"aud": [ACCESS_AUD[:32]]}, "audience"),
        ("access_aud_room", {"aud": [AUDIENCE]}, "audience"),
        ("access_team_wrong", {"iss": "https://evil.cloudflareaccess.com"}, "unknown_issuer"),
        ("access_team_suffix", {"iss": ACCESS_ISSUER + ".evil.example"}, "unknown_issuer"),
        ("access_team_slash", {"iss": ACCESS_ISSUER + "/"}, "unknown_issuer"),
        ("access_team_http", {"iss": ACCESS_ISSUER.replace("https", "http")}, "unknown_issuer"),
        ("access_iss_array", {"iss": [ACCESS_ISSUER]}, "unknown_issuer"),
        ("access_iss_missing", {"iss": None}, "unknown_issuer"),
        ("access_org_token", {"type": "org"}, "assertion_type"),
        ("access_type_missing", {"type": None}, "assertion_type"),
        ("access_type_number", {"type": 1}, "assertion_type"),
        ("access_email_missing", {"email": None}, "assertion_email"),
        ("access_email_empty", {"email": ""}, "assertion_email"),
        ("access_email_number", {"email": 7}, "assertion_email"),
        ("access_email_array", {"email": ["ana@example.com"]}, "assertion_email"),
        ("access_email_unmapped", {"email": "eve@example.com", "sub": "eve"}, "not_mapped"),
        ("access_email_homoglyph", {"email": "аna@example.com"}, "not_mapped"),
        ("access_email_suffix", {"email": "ana@example.com.evil.example"}, "not_mapped"),
        ("access_email_plus", {"email": "ana+x@example.com"}, "not_mapped"),
        ("access_email_space", {"email": " ana@example.com"}, "assertion_email"),
        ("access_expired", {"exp": NOW - 31}, "expired"),
        ("access_nbf", {"nbf": NOW + 31}, "not_yet_valid"),
        ("access_iat", {"iat": NOW + 31}, "issued_in_future"),
        ("access_exp_missing", {"exp": None}, "dates"),
        ("access_iat_missing", {"iat": None}, "dates"),
        ("access_sub_missing", {"sub": None}, "subject"),
        ("access_sub_empty_with_email", {"sub": ""}, "subject"),
        ("access_service_unmapped", {"email": None, "sub": "", "common_name": "ffffff.access"}, "not_mapped"),
        (
            "access_service_with_email",
            {"common_name": "4f1d9e.access", "sub": "", "email": "ana@example.com"},
            "assertion_email",
        ),
        ("access_role_claim_ignored", {"email": "eve@example.com", "role": "owner"}, "not_mapped"),
    ):
        no(name, assertion(name, **changes), reason)
    no("access_foreign_key", assertion("access_foreign_key", key="rsa-foreign"), "signature")
    no(
        "access_org_key",
        assertion("access_org_key", key="rsa-org", head={"alg": "RS256", "kid": "rsa-org"}),
        "unknown_key",
    )
    no(
        "access_es256",
        token(access_claims("access_es256"), "ES256", "ec-2", {"alg": "ES256", "kid": "ec-access"}),
        "algorithm",
    )
    no(
        "access_alg_none",
        compact({"alg": "none", "kid": "rsa-access"}, access_claims("access_alg_none"), b""),
        "algorithm",
    )
    pem = KEYS.pem("rsa-access")
    no(
        "access_hs256_pem",
        compact(
            {"alg": "HS256", "kid": "rsa-access"}, access_claims("access_hs256_pem"), lambda m: hmac("HS256", pem, m)
        ),
        "algorithm",
    )
    no("access_header_mismatch", assertion("access_header_mismatch"), "email_header", email_header="bob@example.com")
    no("access_header_empty", assertion("access_header_empty"), "email_header", email_header="")
    no(
        "access_header_list",
        assertion("access_header_list"),
        "email_header",
        email_header="ana@example.com, bob@example.com",
    )
    no(
        "access_header_on_service",
        assertion("access_header_on_service", email=None, sub="", common_name="4f1d9e.access"),
        "email_header",
        email_header="ana@example.com",
    )
    no("access_room_token", token(claims("access_room_token")), "unknown_issuer")
    no("access_malformed", "ana@example.com", "encoding")
    no(
        "access_duplicate_email",
        token(
            dumps(access_claims("access_duplicate_email", email="eve@example.com"))[:-1]
            + ',"email":"ana@example.com"}',
            key="rsa-access",
            head={"alg": "RS256", "kid": "rsa-access"},
        ),
        "payload",
    )
    corpus.add(
        "access_assertion_as_bearer",
        "access",
        assertion("access_assertion_as_bearer"),
        "unknown_issuer",
        setup="access",
    )


def logout_claims(name, /, **changes):
    plain = {
        "iss": ISSUER,
        "sub": "user-1",
        "aud": AUDIENCE,
        "iat": NOW - 5,
        "exp": NOW + 115,
        "jti": name,
        "events": {LOGOUT_EVENT: {}},
    }
    plain.update(changes)
    return {k: v for k, v in plain.items() if v is not None}


def logout_token(name, alg="RS256", /, key=None, head=None, **changes):
    return token(logout_claims(name, **changes), alg, key, head or header(alg, typ="logout+jwt"))


def logout(corpus):
    def ok(name, made, **fields):
        corpus.add(
            name,
            "logout",
            made,
            None,
            setup="logout",
            source="logout",
            **{"role": "logout", "subject": "user-1", **fields},
        )

    def no(name, made, reason):
        corpus.add(name, "logout", made, reason, setup="logout", source="logout")

    for alg in ("RS256", "ES256", "EdDSA"):
        ok(f"ok_logout_{alg.lower()}", logout_token(f"ok_logout_{alg.lower()}", alg))
    ok("ok_logout_sid_only", logout_token("ok_logout_sid_only", sub=None, sid="s-08a5"), subject=None, sid="s-08a5")
    ok("ok_logout_sub_and_sid", logout_token("ok_logout_sub_and_sid", sid="s-08a5"), sid="s-08a5")
    ok("ok_logout_aud_array", logout_token("ok_logout_aud_array", aud=[AUDIENCE, "x"]))
    ok(
        "ok_logout_more_events",
        logout_token("ok_logout_more_events", events={LOGOUT_EVENT: {}, "https://other.example/event": {"a": 1}}),
    )
    replayed = logout_token("logout_replay")
    ok("ok_logout_first_use", replayed)
    no("logout_replay", replayed, "replayed")
    no("logout_replay_new_signature", logout_token("logout_replay", "EdDSA"), "replayed")
    for name, changes, reason in (
        ("logout_nonce", {"nonce": "n-1"}, "logout_nonce"),
        ("logout_nonce_empty", {"nonce": ""}, "logout_nonce"),
        ("logout_events_missing", {"events": None}, "logout_event"),
        ("logout_events_other", {"events": {"https://other.example/event": {}}}, "logout_event"),
        ("logout_events_array", {"events": [LOGOUT_EVENT]}, "logout_event"),
        ("logout_events_string", {"events": LOGOUT_EVENT}, "logout_event"),
        ("logout_events_value_string", {"events": {LOGOUT_EVENT: "x"}}, "logout_event"),
        ("logout_events_case", {"events": {LOGOUT_EVENT.upper(): {}}}, "logout_event"),
        ("logout_no_sub_no_sid", {"sub": None}, "subject"),
        ("logout_jti_missing", {"jti": None}, "claim"),
        ("logout_jti_empty", {"jti": ""}, "claim"),
        ("logout_jti_number", {"jti": 7}, "claim"),
        ("logout_aud_wrong", {"aud": "other"}, "audience"),
        ("logout_aud_missing", {"aud": None}, "audience"),
        ("logout_iss_wrong", {"iss": "https://attacker.example"}, "unknown_issuer"),
        ("logout_iat_missing", {"iat": None}, "dates"),
        ("logout_exp_missing", {"exp": None}, "dates"),
        ("logout_expired", {"iat": NOW - 600, "exp": NOW - 31}, "expired"),
        ("logout_iat_future", {"iat": NOW + 31}, "issued_in_future"),
        ("logout_sid_number", {"sid": 7}, "claim"),
        ("logout_sub_number", {"sub": 7}, "subject"),
        ("logout_sub_blank", {"sub": " "}, "subject"),
    ):
        no(name, logout_token(name, **changes), reason)
    no(
        "logout_nonce_null",
        token(dumps(logout_claims("logout_nonce_null"))[:-1] + ',"nonce":null}', head=header(typ="logout+jwt")),
        "logout_nonce",
    )
    for tail, typ in (("jwt", "JWT"), ("absent", None), ("at_jwt", "at+jwt"), ("secevent", "secevent+jwt")):
        no(f"logout_typ_{tail}", logout_token(f"logout_typ_{tail}", head=header(typ=typ)), "type")
    no("logout_access_token", token(claims("logout_access_token")), "type")
    no(
        "logout_access_token_typed",
        token(claims("logout_access_token_typed"), head=header(typ="logout+jwt")),
        "logout_event",
    )
    no("logout_foreign_key", logout_token("logout_foreign_key", key="rsa-foreign"), "signature")
    no(
        "logout_alg_none",
        compact({"alg": "none", "kid": "rsa-1", "typ": "logout+jwt"}, logout_claims("logout_alg_none"), b""),
        "algorithm",
    )
    no(
        "logout_hs256_pem",
        compact(
            {"alg": "HS256", "kid": "rsa-1", "typ": "logout+jwt"},
            logout_claims("logout_hs256_pem"),
            lambda m: hmac("HS256", KEYS.pem("rsa-1"), m),
        ),
        "algorithm",
    )
    no("logout_malformed", "logout", "encoding")
    corpus.add("logout_token_as_bearer", "logout", logout_token("logout_token_as_bearer"), "type")
    corpus.add(
        "logout_token_untyped_as_bearer",
        "logout",
        token(logout_claims("logout_token_untyped_as_bearer", instanceId=INSTANCE)),
        "role",
    )


def revoked(corpus):
    """Policy `revoked`: one token id, one subject before a moment, one key."""
    for name, made, reason in (
        ("revoked_token_id", token(claims("revoked-token")), "revoked"),
        ("revoked_token_id_other_signature", token(claims("revoked-token"), "ES256"), "revoked"),
        ("revoked_subject", token(claims("revoked_subject", sub="user-gone")), "revoked"),
        ("revoked_key", token(claims("revoked_key"), key="rsa-2", head=header(kid="rsa-2")), "revoked"),
    ):
        corpus.add(name, "revoked", made, reason, setup="revoked")
    corpus.ok("ok_not_revoked", "revoked", token(claims("ok_not_revoked")), setup="revoked")
    corpus.ok(
        "ok_revoked_subject_newer_token",
        "revoked",
        token(claims("ok_revoked_subject_newer_token", sub="user-gone", iat=NOW - 10)),
        setup="revoked",
        subject="user-gone",
    )
    corpus.ok(
        "ok_revoked_subject_other_case",
        "revoked",
        token(claims("ok_revoked_subject_other_case", sub="User-Gone")),
        setup="revoked",
        subject="User-Gone",
    )
