"""Tokens that must be let in: refusing one of these locks somebody out."""

from crafting import KEYS, P256_N, dumps, ec_numbers, rs
from rows import AUDIENCE, NOW, claims, header, token, with_raw

ALGS = ("RS256", "ES256", "EdDSA")


def add_rows(corpus):
    algorithms_and_roles(corpus)
    headers(corpus)
    audiences_and_names(corpus)
    times(corpus)
    extra_claims(corpus)
    encodings(corpus)
    keys(corpus)


def algorithms_and_roles(corpus):
    for alg in ALGS:
        for role in ("owner", "admin", "member", "viewer"):
            name = f"ok_{alg.lower()}_{role}"
            corpus.ok(name, "valid", token(claims(name, role=role), alg), role=role)
    name = "ok_alias_ed25519"
    corpus.ok(name, "valid", token(claims(name), "Ed25519"))
    name = "ok_es256_malleated_s"
    r, s = 0, 0

    def other_half(message):
        nonlocal r, s
        r, s = ec_numbers("ec-1", message)
        return rs(r, P256_N - s)

    corpus.ok(name, "valid", token(claims(name), "ES256", how=other_half))
    name = "ok_es256_plain_s"  # the same claims, the other of the two signatures
    corpus.ok(name, "valid", token(claims("ok_es256_malleated_s"), "ES256"))
    name = "ok_service_control"
    corpus.ok(
        name,
        "valid",
        token(claims(name, role="control", sub="control-plane")),
        setup="service",
        role="service",
        subject="control-plane",
    )
    name = "ok_service_issuer_owner"
    corpus.ok(name, "valid", token(claims(name)), setup="service")


def headers(corpus):
    plain = {
        "ok_typ_absent": {"typ": None},
        "ok_typ_lower_case": {"typ": "jwt"},
        "ok_unknown_header_member": {"x-room": {"deep": [1, 2, 3]}},
        "ok_x5t_ignored": {"x5t": "dGh1bWJwcmludA", "x5t#S256": "dGh1bWJwcmludA"},
        "ok_jku_ignored": {"jku": "http://169.254.169.254/latest/meta-data/"},
        "ok_x5u_ignored": {"x5u": "http://127.0.0.1:1/cert.pem"},
        "ok_x5c_ignored": {"x5c": ["MIIB"]},
        "ok_jwk_ignored": {"jwk": KEYS.jwk("rsa-foreign")},
        "ok_jwk_own_ignored": {"jwk": KEYS.jwk("rsa-1")},
        "ok_replicated_claims_ignored": {"iss": "https://other.example", "aud": "x", "sub": 7},
        "ok_header_unicode_member": {"größe": "Ünï©ode ✓"},
    }
    for name, changes in plain.items():
        corpus.ok(name, "valid", token(claims(name), head=header(**changes)))
    raw = {
        "ok_header_whitespace": ' {\r\n "alg" : "RS256" ,\t"kid":"rsa-1" } ',
        "ok_header_kid_escaped": r'{"alg":"RS256","kid":"\u0072sa\u002d1"}',
        "ok_header_alg_escaped": r'{"alg":"\u0052S256","kid":"rsa-1"}',
        "ok_header_name_escaped": r'{"alg":"RS256","\u006bid":"rsa-1"}',
        "ok_header_order": '{"kid":"rsa-1","typ":"JWT","alg":"RS256"}',
        "ok_header_3000_bytes": '{"alg":"RS256","kid":"rsa-1","pad":"' + "p" * 2960 + '"}',
    }
    for name, text in raw.items():
        corpus.ok(name, "valid", token(claims(name), head=text))


def audiences_and_names(corpus):
    for name, aud in {
        "ok_aud_array_of_one": [AUDIENCE],
        "ok_aud_array_first": [AUDIENCE, "https://other.example"],
        "ok_aud_array_last": ["a", "b", "c", AUDIENCE],
    }.items():
        corpus.ok(name, "valid", token(claims(name, aud=aud)))
    for name, sub in {
        "ok_sub_uuid": "8c5a2b1e-7a55-4b7a-9a67-0e1f6f0a1b2c",
        "ok_sub_unicode": "Zoë Ångström 渡辺 🦀",
        "ok_sub_pipe": "auth0|5f7c8ec7c33c6c004bbafe82",
        "ok_sub_email": "ana+room@example.com",
        "ok_sub_255": "s" * 255,
        "ok_sub_one": "7",
        "ok_sub_inner_space": "Ana Maria",
        "ok_sub_quote_backslash": 'a"b\\c/d',
        "ok_sub_markup": "<img src=x onerror=alert(1)>",
    }.items():
        corpus.ok(name, "valid", token(claims(name, sub=sub)), subject=sub)
    for name, text, sub in (
        ("ok_sub_escaped", r'"us\u0065r-1"', "user-1"),
        ("ok_sub_surrogate_pair", r'"\ud83e\udd80"', "🦀"),
    ):
        corpus.ok(name, "valid", token(with_raw(name, "sub", text)), subject=sub)
    name = "ok_no_jti"
    corpus.ok(name, "valid", token(claims(name, jti=None)))


def times(corpus):
    for name, changes in {
        "ok_nbf_past": {"nbf": NOW - 60},
        "ok_nbf_now": {"nbf": NOW},
        "ok_nbf_leeway_edge": {"nbf": NOW + 30},
        "ok_nbf_leeway_inside": {"nbf": NOW + 29},
        "ok_iat_now": {"iat": NOW},
        "ok_iat_leeway_edge": {"iat": NOW + 30},
        "ok_iat_leeway_inside": {"iat": NOW + 29},
        "ok_exp_one_second_left": {"exp": NOW + 1},
        "ok_exp_now_within_leeway": {"exp": NOW},
        "ok_exp_leeway_inside": {"exp": NOW - 29},
        "ok_lifetime_one_second": {"iat": NOW, "exp": NOW + 1},
        "ok_lifetime_24h": {"iat": NOW - 10, "exp": NOW - 10 + 86400},
        "ok_lifetime_24h_nearly_over": {"iat": NOW - 86399, "exp": NOW + 1},
        "ok_lifetime_one_hour": {"iat": NOW - 1800, "exp": NOW + 1800},
        "ok_exp_fraction": {"exp": NOW + 300.5},
        "ok_iat_fraction": {"iat": NOW - 60.25},
        "ok_nbf_fraction": {"nbf": NOW - 60.75},
    }.items():
        corpus.ok(name, "valid", token(claims(name, **changes)))
    for name, member, raw in (
        ("ok_exp_exponent", "exp", "1.8000003e9"),
        ("ok_iat_point_zero", "iat", "1799999990.0"),
    ):
        corpus.ok(name, "valid", token(with_raw(name, member, raw)))
    later = token(claims("ok_clock"))  # one token, several clocks
    for name, now in {
        "ok_clock_at_issue": NOW - 60,
        "ok_clock_before_issue_within_leeway": NOW - 90,
        "ok_clock_before_exp": NOW + 599,
        "ok_clock_within_leeway": NOW + 629,
    }.items():
        corpus.ok(name, "valid", later, now=now)
    for name, now, reason in (
        ("clock_before_issue", NOW - 91, "issued_in_future"),
        ("clock_at_leeway", NOW + 630, "expired"),
        ("clock_years_later", NOW + 10**8, "expired"),
        ("clock_at_epoch", 0, "issued_in_future"),
    ):
        corpus.add(name, "leeway", later, reason, now=now)


def extra_claims(corpus):
    for name, extra in {
        "ok_extra_nested": {"ctx": {"a": {"b": {"c": {"d": [1, [2, [3]]]}}}}},
        "ok_extra_many": {f"claim{i}": i for i in range(150)},
        "ok_extra_unicode_name": {"прозвище": "Ана", "🦀": True},
        "ok_extra_null": {"extra": [None, {"x": None}]},
        "ok_extra_numbers": {"n": [0, -1, 1.5, 1e300, 9007199254740993, 18446744073709551616]},
        "ok_extra_empty_name": {"": "empty"},
        "ok_extra_same_name_elsewhere": {"a": {"iss": "x"}, "b": {"iss": "y", "aud": 1}},
        "ok_extra_proto": {"__proto__": {"role": "viewer"}, "constructor": 1},
        "ok_email": {"email": "ana@example.com", "email_verified": True, "name": "Ana"},
        "ok_email_unverified": {"email": "ana@example.com", "email_verified": False},
        "ok_name_unicode": {"name": "Ana \u202e Ünïcode 渡辺"},
        "ok_scope_and_roles_ignored": {"scope": "none", "roles": ["viewer"], "permissions": []},
        "ok_snake_case_instance_ignored": {"instance_id": "inst-other"},
        "ok_azp_ignored": {"azp": "somebody", "nonce": "n-0S6", "sid": "s-1"},
    }.items():
        payload = claims(name)
        payload.update(extra)
        corpus.ok(name, "valid", token(payload))


def encodings(corpus):
    name = "ok_payload_whitespace"
    corpus.ok(name, "valid", token("\r\n\t " + dumps(claims(name)).replace(",", " ,\r\n ") + " \n"))
    name = "ok_payload_reversed"
    corpus.ok(name, "valid", token(dict(reversed(claims(name).items()))))
    name = "ok_payload_name_escaped"
    corpus.ok(name, "valid", token(with_raw(name, r"\u0073ub", '"user-1"', sub=None)))
    for length, name in ((8191, "ok_size_8191"), (8192, "ok_size_8192")):
        made = sized(name, length)
        corpus.ok(name, "valid", made)
    corpus.add("size_8193", "oversized", sized("size_8193", 8193), "oversized")
    corpus.add("size_8194", "oversized", sized("size_8194", 8194), "oversized")


def sized(name, length):
    """A token of exactly that many characters; padding is unknown claims and header members."""
    for in_header in range(3):
        head = header(pad="h" * in_header)
        low = length * 3 // 4 - 700
        for pad in range(low - 200, low + 400):
            payload = claims(name, pad="p" * pad)
            size = (4 * len(dumps(head)) + 2) // 3 + (4 * len(dumps(payload)) + 2) // 3 + 342 + 2
            if size == length:
                made = token(payload, head=head)
                assert len(made) == length, (len(made), length)
                return made
    raise AssertionError(f"no padding gives {length}")


def keys(corpus):
    for kid, alg in (
        ("rsa-2", "RS256"),
        ("rsa-3072", "RS256"),
        ("rsa-4096", "RS256"),
        ("rsa-8192", "RS256"),
        ("ec-2", "ES256"),
        ("ed-2", "EdDSA"),
    ):
        name = f"ok_key_{kid.replace('-', '_')}"
        corpus.ok(name, "valid", token(claims(name), alg, kid, header(alg, kid=kid)))
    # One person, one token, each policy of a table of several.
    name = "ok_two_first_issuer"
    corpus.ok(name, "valid", token(claims(name)), setup="two")
    name = "ok_two_second_issuer"
    corpus.ok(
        name, "valid", token(claims(name, iss="https://login.partner.example/tenant/7"), key="rsa-2"), setup="two"
    )
