"""Key sets that are wrong in one place: the rotten entry verifies nothing, its neighbours still do."""

from cryptography.hazmat.primitives import hashes

from crafting import (
    KEYS,
    P256_P,
    b64u,
    b64u_int,
    compact,
    dumps,
    ec_sign,
    ed_decode,
    ed_forge,
    ed_small_order_encodings,
    hmac,
    int_b64u,
    pkcs1_block,
    rsa_raw,
    rsa_sign,
    sign,
    unb64u,
)
from rows import claims, header, token


def add_rows(corpus):
    corpus.jwks["main"] = {
        "keys": [
            KEYS.jwk(kid)
            for kid in ("rsa-1", "rsa-2", "rsa-3072", "rsa-4096", "rsa-8192", "ec-1", "ec-2", "ed-1", "ed-2")
        ]
    }
    sound_variants(corpus)
    wrong_purpose(corpus)
    private_and_symmetric(corpus)
    weak_rsa(corpus)
    weak_ec(corpus)
    weak_ed(corpus)
    names(corpus)
    odd_entries(corpus)
    whole_sets(corpus)


def rotten(corpus, name, entries, alg, how, reason="unknown_key", head=None):
    """A set of the entries and one sound neighbour: one refused row, one accepted row."""
    entries = entries if isinstance(entries, list) else [entries]
    corpus.jwks[name] = {"keys": [*entries, KEYS.jwk("ed-1")]}
    kid = entries[0].get("kid") if isinstance(entries[0], dict) else "rsa-1"
    corpus.add(name, "jwks", token(claims(name), head=head or header(alg, kid=kid), how=how), reason, jwks=name)
    corpus.ok(f"ok_{name}_neighbour", "jwks", token(claims(f"ok_{name}_neighbour"), "EdDSA"), jwks=name)


def sound(corpus, name, entry, alg, key, head=None):
    """A set whose first entry is unusual and right."""
    corpus.jwks[name] = {"keys": [entry, KEYS.jwk("rsa-2")]}
    corpus.ok(
        f"ok_{name}", "jwks", token(claims(f"ok_{name}"), alg, key, head or header(alg, kid=entry["kid"])), jwks=name
    )


def by(alg, key):
    return lambda message: sign(alg, key, message)


def sound_variants(corpus):
    sound(corpus, "jwks_alg_absent_rsa", KEYS.jwk("rsa-1", alg=None), "RS256", "rsa-1")
    sound(corpus, "jwks_alg_absent_ec", KEYS.jwk("ec-1", alg=None), "ES256", "ec-1")
    sound(corpus, "jwks_alg_absent_ed", KEYS.jwk("ed-1", alg=None), "EdDSA", "ed-1")
    sound(corpus, "jwks_use_absent", KEYS.jwk("rsa-1", use=None), "RS256", "rsa-1")
    sound(corpus, "jwks_kty_and_kid_only", KEYS.jwk("rsa-1", use=None, alg=None), "RS256", "rsa-1")
    sound(corpus, "jwks_key_ops_verify", KEYS.jwk("ec-1", key_ops=["verify"]), "ES256", "ec-1")
    sound(corpus, "jwks_key_ops_without_use", KEYS.jwk("ec-1", use=None, key_ops=["verify"]), "ES256", "ec-1")
    sound(
        corpus, "jwks_x5c_beside", KEYS.jwk("rsa-1", x5c=["MIIB"], x5t="abc", **{"x5t#S256": "abc"}), "RS256", "rsa-1"
    )
    sound(
        corpus,
        "jwks_unknown_member",
        KEYS.jwk("rsa-1", ext=True, issuer={"deep": [1]}, status="active"),
        "RS256",
        "rsa-1",
    )
    sound(corpus, "jwks_kid_unicode", KEYS.jwk("ec-1", kid="schlüssel-✓"), "ES256", "ec-1")
    sound(corpus, "jwks_kid_traversal_real_name", KEYS.jwk("ec-1", kid="../../etc/passwd"), "ES256", "ec-1")
    sound(corpus, "jwks_kid_256_bytes", KEYS.jwk("ec-1", kid="k" * 256), "ES256", "ec-1")
    sound(corpus, "jwks_kid_one_byte", KEYS.jwk("ed-1", kid="0"), "EdDSA", "ed-1")
    sound(corpus, "jwks_alg_ed25519", KEYS.jwk("ed-1", alg="Ed25519"), "Ed25519", "ed-1")
    sound(corpus, "jwks_alg_ed25519_token_eddsa", KEYS.jwk("ed-1", alg="Ed25519"), "EdDSA", "ed-1")
    sound(corpus, "jwks_alg_eddsa_token_ed25519", KEYS.jwk("ed-1"), "Ed25519", "ed-1")
    # A public exponent above 65537 is unusual and right.
    n, _, _ = KEYS.numbers("rsa-2")
    e = 65539
    d = exponent("rsa-2", e)
    corpus.jwks["jwks_e_65539"] = {"keys": [KEYS.jwk("rsa-2", kid="odd", e=int_b64u(e))]}
    corpus.ok(
        "ok_jwks_e_65539",
        "jwks",
        token(claims("ok_jwks_e_65539"), head=header(kid="odd"), how=lambda m: rsa_raw(n, d, pkcs1_block(m, 256))),
        jwks="jwks_e_65539",
    )
    name = "kid_unicode_other_normal_form"  # u + diaeresis is another name than ü
    corpus.add(
        name,
        "kid",
        token(claims(name), "ES256", "ec-1", header("ES256", kid="schlu\u0308ssel-✓")),
        "unknown_key",
        jwks="jwks_kid_unicode",
    )


def exponent(name, e):
    phi = 1
    for p in KEYS.raw[name]["primes"]:
        phi *= b64u_int(p) - 1
    return pow(e, -1, phi)


def wrong_purpose(corpus):
    for name, changes in {
        "jwks_use_enc": {"use": "enc"},
        "jwks_use_tls": {"use": "tls"},
        "jwks_use_empty": {"use": ""},
        "jwks_use_case": {"use": "SIG"},
        "jwks_use_array": {"use": ["sig"]},
        "jwks_use_number": {"use": 1},
        "jwks_key_ops_sign": {"key_ops": ["sign"]},
        "jwks_key_ops_encrypt": {"use": None, "key_ops": ["encrypt", "wrapKey"]},
        "jwks_key_ops_empty": {"key_ops": []},
        "jwks_key_ops_string": {"key_ops": "verify"},
        "jwks_key_ops_object": {"key_ops": {"verify": True}},
        "jwks_key_ops_numbers": {"key_ops": [1]},
        "jwks_key_ops_case": {"key_ops": ["Verify"]},
        "jwks_use_enc_key_ops_verify": {"use": "enc", "key_ops": ["verify"]},
        "jwks_alg_rs384": {"alg": "RS384"},
        "jwks_alg_ps256": {"alg": "PS256"},
        "jwks_alg_rsa_oaep": {"alg": "RSA-OAEP-256"},
        "jwks_alg_hs256": {"alg": "HS256"},
        "jwks_alg_es256_on_rsa": {"alg": "ES256"},
        "jwks_alg_none": {"alg": "none"},
        "jwks_alg_empty": {"alg": ""},
        "jwks_alg_number": {"alg": 256},
        "jwks_alg_array": {"alg": ["RS256"]},
        "jwks_alg_lower": {"alg": "rs256"},
    }.items():
        rotten(corpus, name, KEYS.jwk("rsa-1", **changes), "RS256", by("RS256", "rsa-1"))
    rotten(
        corpus, "jwks_alg_rs384_token_too", KEYS.jwk("rsa-1", alg="RS384"), "RS384", by("RS384", "rsa-1"), "algorithm"
    )
    rotten(corpus, "jwks_alg_es384_on_p256", KEYS.jwk("ec-1", alg="ES384"), "ES256", by("ES256", "ec-1"))
    rotten(corpus, "jwks_alg_rs256_on_ec", KEYS.jwk("ec-1", alg="RS256"), "ES256", by("ES256", "ec-1"))
    rotten(corpus, "jwks_alg_ecdh_on_ec", KEYS.jwk("ec-1", alg="ECDH-ES"), "ES256", by("ES256", "ec-1"))
    rotten(corpus, "jwks_alg_es256_on_ed", KEYS.jwk("ed-2", alg="ES256"), "EdDSA", by("EdDSA", "ed-2"))
    rotten(corpus, "jwks_alg_ed448_on_ed25519", KEYS.jwk("ed-2", alg="Ed448"), "EdDSA", by("EdDSA", "ed-2"))


def private_and_symmetric(corpus):
    raw = KEYS.raw["rsa-1"]
    rotten(
        corpus,
        "jwks_private_rsa",
        KEYS.jwk("rsa-1", d=raw["d"], p=raw["primes"][0], q=raw["primes"][1]),
        "RS256",
        by("RS256", "rsa-1"),
    )
    rotten(corpus, "jwks_private_rsa_d_only", KEYS.jwk("rsa-1", d=raw["d"]), "RS256", by("RS256", "rsa-1"))
    rotten(corpus, "jwks_private_rsa_prime_only", KEYS.jwk("rsa-1", p=raw["primes"][0]), "RS256", by("RS256", "rsa-1"))
    rotten(corpus, "jwks_private_rsa_q_only", KEYS.jwk("rsa-1", q=raw["primes"][1]), "RS256", by("RS256", "rsa-1"))
    rotten(
        corpus,
        "jwks_private_rsa_crt_only",
        KEYS.jwk("rsa-1", dp="AQAB", dq="AQAB", qi="AQAB"),
        "RS256",
        by("RS256", "rsa-1"),
    )
    rotten(
        corpus,
        "jwks_private_rsa_oth",
        KEYS.jwk("rsa-1", oth=[{"r": "AQAB", "d": "AQAB", "t": "AQAB"}]),
        "RS256",
        by("RS256", "rsa-1"),
    )
    rotten(corpus, "jwks_private_ec", KEYS.jwk("ec-1", d=KEYS.raw["ec-1"]["d"]), "ES256", by("ES256", "ec-1"))
    rotten(corpus, "jwks_private_ed", KEYS.jwk("ed-2", d=KEYS.raw["ed-2"]["d"]), "EdDSA", by("EdDSA", "ed-2"))
    rotten(corpus, "jwks_private_d_null", KEYS.jwk("rsa-1") | {"d": None}, "RS256", by("RS256", "rsa-1"))
    rotten(corpus, "jwks_k_beside_rsa", KEYS.jwk("rsa-1", k=b64u(b"k" * 32)), "RS256", by("RS256", "rsa-1"))
    secret = b"an oct key that anybody can read"
    oct_key = {"kty": "oct", "kid": "shared", "use": "sig", "alg": "HS256", "k": b64u(secret)}
    rotten(corpus, "jwks_oct", oct_key, "HS256", lambda m: hmac("HS256", secret, m), "unknown_issuer")
    rotten(corpus, "jwks_oct_as_rs256", oct_key | {"alg": "RS256"}, "RS256", lambda m: hmac("HS256", secret, m))
    rotten(corpus, "jwks_oct_empty", oct_key | {"k": ""}, "HS256", lambda m: hmac("HS256", b"", m), "unknown_issuer")


def weak_rsa(corpus):
    for key in ("rsa-1024", "rsa-2047", "rsa-8256", "rsa-16384", "rsa-32768", "rsa-roca", "rsa-e3"):
        name = "jwks_" + key.replace("-", "_")
        # With a signature this long the token is too: past 8 KiB it is refused unread.
        rotten(corpus, name, KEYS.jwk(key), "RS256", lambda m, k=key: rsa_sign(k, m))
    n, _, _ = KEYS.numbers("rsa-2")
    for e in (17, 257, 65535):
        try:
            d = exponent("rsa-2", e)
        except ValueError:
            continue
        rotten(
            corpus,
            f"jwks_rsa_e{e}",
            KEYS.jwk("rsa-2", kid="weak", e=int_b64u(e)),
            "RS256",
            lambda m, d=d: rsa_raw(n, d, pkcs1_block(m, 256)),
        )
    # With e = 1 anybody signs: the signature is the padded digest.
    rotten(corpus, "jwks_rsa_e1", KEYS.jwk("rsa-2", kid="weak", e="AQ"), "RS256", lambda m: pkcs1_block(m, 256))
    for tail, e in (
        ("e0", "AA"),
        ("e_empty", ""),
        ("e_even", "AQAA"),
        ("e_huge", int_b64u(n - 2)),
        ("e_text", "65537"),
        ("e_padded", "AQAB===="),
        ("e_number", 65537),
        ("e_null_value", None),
        ("e_hex", "0x10001"),
    ):
        entry = KEYS.jwk("rsa-2", kid="weak") | {"e": e}
        rotten(corpus, f"jwks_rsa_{tail}", entry, "RS256", by("RS256", "rsa-2"))
    for tail, modulus in (
        ("n_empty", ""),
        ("n_zero", b64u(bytes(256))),
        ("n_one", b64u(bytes(255) + b"\1")),
        ("n_even", int_b64u(n - 1)),
        ("n_padded", KEYS.raw["rsa-2"]["n"] + "=="),
        ("n_standard_alphabet", b64u(b"\xfb\xff" * 128).replace("-", "+").replace("_", "/")),
        ("n_number", 7),
        ("n_pem", KEYS.pem("rsa-2").decode()),
        ("n_newline", KEYS.raw["rsa-2"]["n"] + "\n"),
    ):
        rotten(corpus, f"jwks_rsa_{tail}", KEYS.jwk("rsa-2", kid="weak", n=modulus), "RS256", by("RS256", "rsa-2"))
    for missing in ("n", "e"):
        rotten(
            corpus,
            f"jwks_rsa_{missing}_missing",
            KEYS.jwk("rsa-2", kid="weak", **{missing: None}),
            "RS256",
            by("RS256", "rsa-2"),
        )


def weak_ec(corpus):
    x, y = KEYS.raw["ec-2"]["x"], KEYS.raw["ec-2"]["y"]
    high = b64u_int(x) + P256_P
    for tail, changes in {
        "off_curve": {"y": int_b64u(b64u_int(y) ^ 1, 32)},
        "zero_point": {"x": b64u(bytes(32)), "y": b64u(bytes(32))},
        "swapped": {"x": y, "y": x},
        "x_31_bytes": {"x": b64u(unb64u(x)[1:])},
        "x_33_bytes": {"x": b64u(b"\0" + unb64u(x))},
        "y_empty": {"y": ""},
        "y_missing": {"y": None},
        "x_missing": {"x": None},
        "crv_missing": {"crv": None},
        "x_not_reduced": {"x": int_b64u(high, 33 if high >> 256 else 32)},
        "x_is_p": {"x": int_b64u(P256_P)},
        "crv_p384": {"crv": "P-384"},
        "crv_k1": {"crv": "secp256k1"},
        "crv_ed25519": {"crv": "Ed25519"},
        "crv_case": {"crv": "p-256"},
        "crv_nist_name": {"crv": "secp256r1"},
        "crv_number": {"crv": 256},
        "kty_okp": {"kty": "OKP"},
        "kty_rsa": {"kty": "RSA"},
        "kty_lower": {"kty": "ec"},
        "kty_missing": {"kty": None},
        "x_padded": {"x": x + "="},
        "x_number": {"x": 5},
        "y_negated_p384_alg": {"alg": "ES384"},
        "compressed": {"x": b64u(b"\2" + unb64u(x)), "y": None},
    }.items():
        rotten(corpus, f"jwks_ec_{tail}", KEYS.jwk("ec-2", kid="weak", **changes), "ES256", by("ES256", "ec-2"))
    rotten(
        corpus,
        "jwks_ec_p384_as_es256",
        KEYS.jwk("ec-p384", kid="weak", alg="ES256"),
        "ES256",
        lambda m: ec_sign("ec-p384", m, hashes.SHA256(), 48),
    )
    rotten(
        corpus,
        "jwks_ec_p384",
        KEYS.jwk("ec-p384", kid="weak", alg="ES384"),
        "ES384",
        lambda m: ec_sign("ec-p384", m, hashes.SHA384(), 48),
        "algorithm",
    )
    rotten(
        corpus,
        "jwks_ec_k1_as_p256",
        KEYS.jwk("ec-k1", kid="weak", alg="ES256", crv="P-256"),
        "ES256",
        lambda m: ec_sign("ec-k1", m),
    )
    rotten(corpus, "jwks_ec_k1", KEYS.jwk("ec-k1", kid="weak", alg="ES256"), "ES256", lambda m: ec_sign("ec-k1", m))
    rotten(
        corpus,
        "jwks_ec_p521",
        KEYS.jwk("ec-p521", kid="weak", alg="ES256"),
        "ES256",
        lambda m: ec_sign("ec-p521", m, hashes.SHA256(), 66),
    )
    # The mirrored point is another key: a point on the curve, and not the one that signed.
    name = "jwks_ec_mirrored"
    rotten(
        corpus,
        name,
        KEYS.jwk("ec-2", kid="weak", y=int_b64u(P256_P - b64u_int(y), 32)),
        "ES256",
        by("ES256", "ec-2"),
        "signature",
    )


def weak_ed(corpus):
    x = unb64u(KEYS.raw["ed-2"]["x"])
    for tail, changes in {
        "31_bytes": {"x": b64u(x[:31])},
        "33_bytes": {"x": b64u(x + b"\0")},
        "1_byte": {"x": "AQ"},
        "empty": {"x": ""},
        "missing": {"x": None},
        "64_bytes": {"x": b64u(x * 2)},
        "crv_x25519": {"crv": "X25519"},
        "crv_ed448": {"crv": "Ed448"},
        "crv_p256": {"crv": "P-256"},
        "crv_missing": {"crv": None},
        "crv_lower": {"crv": "ed25519"},
        "kty_ec": {"kty": "EC"},
        "kty_lower": {"kty": "okp"},
        "x_padded": {"x": b64u(x) + "="},
        "x_hex": {"x": x.hex()},
    }.items():
        rotten(corpus, f"jwks_ed_{tail}", KEYS.jwk("ed-2", kid="weak", **changes), "EdDSA", by("EdDSA", "ed-2"))
    name, entry = "jwks_ed_not_a_point", KEYS.jwk("ed-2", kid="weak", x=not_a_point())
    rotten(corpus, name, entry, "EdDSA", by("EdDSA", "ed-2"), "signature")
    # Every encoding of every point of small order, each with a signature nobody made.
    for index, (point, order) in enumerate(sorted(ed_small_order_encodings().items())):
        name = f"jwks_ed_small_order_{order}_{index}"
        for counter in range(64):  # the hash must fall right, so some claims are tried
            start = compact(header("EdDSA", kid="weak"), claims(name, try_=counter), b"")[:-1]
            forged = ed_forge(point, start.encode())
            if forged:
                break
        assert forged, name
        corpus.jwks[name] = {"keys": [KEYS.jwk("ed-2", kid="weak", x=b64u(point)), KEYS.jwk("ed-1")]}
        corpus.add(name, "jwks", f"{start}.{b64u(forged)}", "unknown_key", jwks=name)


def not_a_point():
    y = 2
    while ed_decode(y.to_bytes(32, "little")) is not None:
        y += 1
    return b64u(y.to_bytes(32, "little"))


def names(corpus):
    rsa, ec = by("RS256", "rsa-1"), by("ES256", "ec-1")
    rotten(
        corpus,
        "jwks_same_key_twice",
        [KEYS.jwk("rsa-1"), KEYS.jwk("rsa-1", use=None)],
        "RS256",
        rsa,
        "ambiguous_key",
    )
    rotten(
        corpus,
        "jwks_duplicate_kid_first",
        [KEYS.jwk("rsa-1"), KEYS.jwk("rsa-2", kid="rsa-1")],
        "RS256",
        rsa,
        "ambiguous_key",
    )
    rotten(
        corpus,
        "jwks_duplicate_kid_last",
        [KEYS.jwk("rsa-2", kid="rsa-1"), KEYS.jwk("rsa-1")],
        "RS256",
        rsa,
        "ambiguous_key",
    )
    rotten(
        corpus,
        "jwks_duplicate_kid_other_type",
        [KEYS.jwk("rsa-1"), KEYS.jwk("ec-1", kid="rsa-1")],
        "RS256",
        rsa,
        "ambiguous_key",
    )
    rotten(
        corpus,
        "jwks_duplicate_kid_thrice",
        [KEYS.jwk("ec-1"), KEYS.jwk("ec-2", kid="ec-1"), KEYS.jwk("ec-1")],
        "ES256",
        ec,
        "ambiguous_key",
    )
    for tail, kid in {
        "missing": None,
        "number": 1,
        "null_value": "NULL",
        "array": ["rsa-1"],
        "object": {"kid": "rsa-1"},
        "257_bytes": "k" * 257,
    }.items():
        entry = KEYS.jwk("rsa-1", kid=kid)
        if kid == "NULL":
            entry["kid"] = None
        presented = {"number": "1", "257_bytes": None, "null_value": "null"}.get(tail, "rsa-1")
        if presented is None:
            continue
        rotten(corpus, f"jwks_kid_{tail}", [entry], "RS256", rsa, head=header(kid=presented))


def odd_entries(corpus):
    """Entries that are no keys at all stand beside a sound one."""
    sound_entry = dumps(KEYS.jwk("rsa-1"))
    for tail, text in {
        "null": "null",
        "string": '"rsa-1"',
        "number": "7",
        "array": "[]",
        "empty_object": "{}",
        "true": "true",
        "nested_set": '{"keys":[%s]}' % sound_entry,
        "unknown_kty": '{"kty":"AKP","kid":"pq","alg":"ML-DSA-44","pub":"AA"}',
        "kty_number": '{"kty":1,"kid":"n"}',
        "oct": '{"kty":"oct","kid":"s","k":"AAAA"}',
        "use_enc": dumps(KEYS.jwk("rsa-2", use="enc", alg="RSA-OAEP")),
        "kid_less": dumps(KEYS.jwk("rsa-2", kid=None)),
        "x25519": '{"kty":"OKP","crv":"X25519","kid":"x","x":"%s"}' % KEYS.raw["ed-2"]["x"],
        "p384": dumps(KEYS.jwk("ec-p384", alg="ES384")),
        "key_ops_string": dumps(KEYS.jwk("rsa-2", key_ops="verify")),
        "numeric_kid": dumps(KEYS.jwk("rsa-2", kid=5)),
    }.items():
        name = f"jwks_beside_{tail}"
        corpus.jwks[name] = '{"keys":[%s,%s]}' % (text, sound_entry)
        corpus.ok(f"ok_{name}", "jwks", token(claims(f"ok_{name}")), jwks=name)
    # A duplicate member leaves open which key was meant; such a document is no strict JSON at all.
    for tail, text in {
        "duplicate_n": sound_entry[:-1] + ',"n":"%s"}' % KEYS.raw["rsa-2"]["n"],
        "duplicate_n_first": '{"n":"%s",' % KEYS.raw["rsa-2"]["n"] + sound_entry[1:],
        "duplicate_kid_member": sound_entry[:-1] + ',"kid":"rsa-1"}',
        "duplicate_escaped": sound_entry[:-1] + r',"k\u0069d":"rsa-1"}',
        "raw_value": '{"$serde_json::private::RawValue":%s}' % dumps(sound_entry),
    }.items():
        name = f"jwks_entry_{tail}"
        corpus.jwks[name] = '{"keys":[%s,%s]}' % (text, dumps(KEYS.jwk("ed-1")))
        corpus.add(name, "jwks", token(claims(name)), "no_keys", jwks=name)


def whole_sets(corpus):
    """A set with no usable key is a failure of the source, never a verdict on the token."""
    sound_entry = dumps(KEYS.jwk("rsa-1"))
    for tail, text in {
        "empty": '{"keys":[]}',
        "no_keys": "{}",
        "keys_null": '{"keys":null}',
        "keys_object": '{"keys":{"rsa-1":%s}}' % sound_entry,
        "array": f"[{sound_entry}]",
        "one_jwk": sound_entry,
        "not_json": "<html>502 Bad Gateway</html>",
        "nothing": "",
        "truncated": '{"keys":[%s' % sound_entry,
        "bom": '\ufeff{"keys":[%s]}' % sound_entry,
        "duplicate_keys": '{"keys":[],"keys":[%s]}' % sound_entry,
        "trailing_garbage": '{"keys":[%s]} x' % sound_entry,
        "only_oct": '{"keys":[{"kty":"oct","kid":"rsa-1","k":"AAAA"}]}',
        "only_enc": '{"keys":[%s]}' % dumps(KEYS.jwk("rsa-1", use="enc")),
        "only_null": '{"keys":[null]}',
        "keys_case": '{"Keys":[%s]}' % sound_entry,
        "keys_string": '{"keys":"rsa-1"}',
        "only_private": '{"keys":[%s]}' % dumps(KEYS.jwk("rsa-1", d="AQAB")),
        "only_ambiguous": '{"keys":[%s,%s]}' % (sound_entry, dumps(KEYS.jwk("rsa-2", kid="rsa-1"))),
        "raw_value": '{"$serde_json::private::RawValue":%s}' % dumps('{"keys":[%s]}' % sound_entry),
        "deep": '{"x":' + "[" * 3000 + "]" * 3000 + ',"keys":[%s]}' % sound_entry,
    }.items():
        name = f"jwks_set_{tail}"
        corpus.jwks[name] = text
        corpus.add(name, "jwks-set", token(claims(name)), "no_keys", jwks=name)
    # As many entries as any issuer has use for, and one more.
    for count in (64, 65):
        entries = [KEYS.jwk("ec-2", kid=f"ec-{number}", use=None, alg=None) for number in range(100, 99 + count)]
        name = f"jwks_set_of_{count}"
        corpus.jwks[name] = {"keys": [*entries, KEYS.jwk("rsa-1")]}
        if count == 64:
            corpus.ok(f"ok_{name}", "jwks-set", token(claims(f"ok_{name}")), jwks=name)
        else:
            corpus.add(name, "jwks-set", token(claims(name)), "no_keys", jwks=name)
