"""Hostile headers: the algorithm, the key it names, what it asks for, how it is written."""

import hashlib

from cryptography.hazmat.primitives import hashes, serialization

from crafting import (
    KEYS,
    b64u,
    compact,
    dumps,
    ec_sign,
    hmac,
    rsa_raw,
    rsa_sign,
    sign,
    unb64u,
)
from rows import (
    ISSUER,
    NOW,
    claims,
    header,
    token,
)


def add_rows(corpus):
    algorithms(corpus)
    confusion(corpus)
    embedded_keys(corpus)
    key_names(corpus)
    header_members(corpus)
    header_json(corpus)


def algorithms(corpus):
    for name, alg in {
        "alg_none": "none",
        "alg_none_title": "None",
        "alg_none_upper": "NONE",
        "alg_none_mixed": "nOnE",
        "alg_none_space": "none ",
        "alg_none_nul": "none\0",
    }.items():
        for tail, signature in (("", b""), ("_signed", lambda m: rsa_sign("rsa-1", m))):
            corpus.add(
                name + tail,
                "alg-none",
                compact(header(alg=alg, kid="rsa-1"), claims(name + tail), signature),
                "algorithm",
            )
    corpus.add("alg_none_no_kid", "alg-none", compact({"alg": "none"}, claims("alg_none_no_kid"), b""), "algorithm")
    for name, raw in {
        "alg_empty": '""',
        "alg_null": "null",
        "alg_array": '["RS256"]',
        "alg_object": '{"RS256":1}',
        "alg_number": "256",
        "alg_true": "true",
        "alg_trailing_space": '"RS256 "',
        "alg_leading_space": '" RS256"',
        "alg_lower": '"rs256"',
        "alg_mixed_case": '"Rs256"',
        "alg_nul": r'"RS256\u0000"',
        "alg_newline": r'"RS256\n"',
        "alg_unknown": '"XX256"',
        "alg_full_width": '"ＲＳ256"',
        "alg_list": '"RS256,ES256"',
        "alg_rsa1_5": '"RSA1_5"',
        "alg_dir": '"dir"',
        "alg_oid": '"1.2.840.113549.1.1.11"',
    }.items():
        head = '{"alg":%s,"kid":"rsa-1","typ":"JWT"}' % raw
        corpus.add(name, "alg", token(claims(name), head=head), "algorithm")
    name = "alg_missing"
    corpus.add(name, "alg", token(claims(name), head={"kid": "rsa-1", "typ": "JWT"}), "algorithm")
    # Another algorithm than the key's, rightly signed by that very key.
    for alg in ("RS384", "RS512"):
        name = f"alg_pinned_{alg.lower()}"
        corpus.add(
            name,
            "alg-pinned",
            token(claims(name), head=header(alg, kid="rsa-1"), how=lambda m, a=alg: sign(a, "rsa-1", m)),
            "algorithm",
        )
    for alg, digest in (("PS256", hashes.SHA256()), ("PS384", hashes.SHA384()), ("PS512", hashes.SHA512())):
        name = f"alg_pinned_{alg.lower()}"
        corpus.add(
            name,
            "alg-pinned",
            token(
                claims(name), head=header(alg, kid="rsa-1"), how=lambda m, d=digest: fixed_salt_pss("rsa-1", m, d.name)
            ),
            "algorithm",
        )
    for alg, kid, curve_hash, size in (
        ("ES384", "ec-p384", hashes.SHA384(), 48),
        ("ES512", "ec-p521", hashes.SHA512(), 66),
        ("ES256K", "ec-k1", hashes.SHA256(), 32),
    ):
        name = f"alg_{alg.lower()}"
        corpus.add(
            name,
            "alg",
            token(
                claims(name), head=header(alg, kid=kid), how=lambda m, k=kid, h=curve_hash, s=size: ec_sign(k, m, h, s)
            ),
            "algorithm",
        )
    name = "alg_es384_on_p256"
    corpus.add(
        name,
        "alg-pinned",
        token(claims(name), head=header("ES384", kid="ec-1"), how=lambda m: ec_sign("ec-1", m, hashes.SHA384())),
        "algorithm",
    )
    for name, alg, kid, by in (
        ("alg_es256_names_rsa_key", "ES256", "rsa-1", ("ES256", "ec-1")),
        ("alg_rs256_names_ec_key", "RS256", "ec-1", ("RS256", "rsa-1")),
        ("alg_eddsa_names_ec_key", "EdDSA", "ec-1", ("EdDSA", "ed-1")),
        ("alg_es256_names_ed_key", "ES256", "ed-1", ("ES256", "ec-1")),
        ("alg_rs256_names_ed_key", "RS256", "ed-1", ("RS256", "rsa-1")),
        ("alg_eddsa_names_rsa_key", "EdDSA", "rsa-1", ("EdDSA", "ed-1")),
    ):
        corpus.add(
            name,
            "alg-pinned",
            token(claims(name), head=header(alg, kid=kid), how=lambda m, b=by: sign(b[0], b[1], m)),
            "key_algorithm",
        )
    for name, alg in (
        ("alg_ed25519_lower", "ed25519"),
        ("alg_eddsa_upper", "EDDSA"),
        ("alg_ed448", "Ed448"),
        ("alg_ed25519ph", "Ed25519ph"),
    ):
        corpus.add(
            name,
            "alg",
            token(claims(name), head=header(alg, kid="ed-1"), how=lambda m: sign("EdDSA", "ed-1", m)),
            "algorithm",
        )


def confusion(corpus):
    spki, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
    der = serialization.Encoding.DER
    pem = KEYS.pem("rsa-1")
    forms = {
        "pem": pem,
        "pem_no_newline": pem.rstrip(b"\n"),
        "pem_crlf": pem.replace(b"\n", b"\r\n"),
        "pem_leading_newline": b"\n" + pem,
        "pem_leading_space": b" " + pem,
        "pem_bom": b"\xef\xbb\xbf" + pem,
        "pkcs1_pem": KEYS.pem("rsa-1", pkcs1),
        "der": KEYS.pem("rsa-1", spki, der),
        "pkcs1_der": KEYS.pem("rsa-1", pkcs1, der),
        "n_text": KEYS.raw["rsa-1"]["n"].encode(),
        "n_bytes": KEYS.numbers("rsa-1")[0].to_bytes(256, "big"),
        "jwk_text": dumps(KEYS.jwk("rsa-1")).encode(),
        "empty": b"",
        "nul": b"\0",
        "kid": b"rsa-1",
        "secret": b"secret",
        "pem_body": b"".join(pem.splitlines()[1:-1]),
    }
    for form, secret in forms.items():
        name = f"rs_to_hs_{form}"
        corpus.add(
            name,
            "confusion",
            compact(header("HS256", kid="rsa-1"), claims(name), lambda m, s=secret: hmac("HS256", s, m)),
            "unknown_issuer",
        )
    for alg in ("HS384", "HS512"):
        name = f"rs_to_{alg.lower()}_pem"
        corpus.add(
            name,
            "confusion",
            compact(header(alg, kid="rsa-1"), claims(name), lambda m, a=alg: hmac(a, pem, m)),
            "algorithm",
        )
    for kid in ("ec-1", "ed-1"):
        raw = KEYS.raw[kid]
        for form, secret in {
            "pem": KEYS.pem(kid),
            "der": KEYS.pem(kid, spki, der),
            "x_text": raw["x"].encode(),
            "x_bytes": unb64u(raw["x"]),
            "jwk_text": dumps(KEYS.jwk(kid)).encode(),
        }.items():
            name = f"{kid[:2]}_to_hs_{form}"
            corpus.add(
                name,
                "confusion",
                compact(header("HS256", kid=kid), claims(name), lambda m, s=secret: hmac("HS256", s, m)),
                "unknown_issuer",
            )
    name = "rs256_carries_hmac"
    corpus.add(name, "confusion", compact(header(), claims(name), lambda m: hmac("HS256", pem, m)), "signature")


def embedded_keys(corpus):
    foreign = KEYS.jwk("rsa-foreign", kid="rsa-1")
    for name, changes in {
        "jwk_embedded_kid_known": {"jwk": foreign},
        "jwk_embedded_kid_none": {"jwk": foreign, "kid": None},
        "jwk_embedded_kid_own": {"jwk": KEYS.jwk("rsa-foreign"), "kid": "rsa-foreign"},
        "jku_attacker": {"jku": "https://attacker.example/jwks.json"},
        "jku_unknown_kid": {"jku": "https://attacker.example/jwks.json", "kid": "rsa-foreign"},
        "jku_metadata": {"jku": "http://169.254.169.254/latest/meta-data/", "kid": "rsa-foreign"},
        "jku_trusted_prefix": {"jku": ISSUER + "@attacker.example/jwks.json", "kid": "rsa-foreign"},
        "jku_file": {"jku": "file:///etc/passwd", "kid": "rsa-foreign"},
        "x5u_attacker": {"x5u": "https://attacker.example/cert.pem"},
        "x5c_attacker": {"x5c": [b64u(KEYS.pem("rsa-foreign", encoding=serialization.Encoding.DER))]},
        "x5t_known": {"x5t": "AAAA", "kid": "rsa-foreign"},
    }.items():
        head = header(**changes)
        reason = {"rsa-1": "signature", None: "key_id"}.get(head.get("kid"), "unknown_key")
        corpus.add(name, "embedded-key", token(claims(name), key="rsa-foreign", head=head), reason)
    name = "jwk_embedded_oct"
    corpus.add(
        name,
        "embedded-key",
        token(
            claims(name),
            head=header("HS256", kid="rsa-1", jwk={"kty": "oct", "k": b64u(b"k" * 32)}),
            how=lambda m: hmac("HS256", b"k" * 32, m),
        ),
        "unknown_issuer",
    )
    for alg, key in (("ES256", "ec-foreign"), ("EdDSA", "ed-foreign")):
        name = f"jwk_embedded_{alg.lower()}"
        corpus.add(name, "embedded-key", token(claims(name), alg, key, header(alg, jwk=KEYS.jwk(key))), "signature")


def key_names(corpus):
    for name, kid in {
        "kid_unknown": "rsa-unknown",
        "kid_case": "RSA-1",
        "kid_prefix": "rsa-",
        "kid_longer": "rsa-11",
        "kid_trailing_space": "rsa-1 ",
        "kid_leading_space": " rsa-1",
        "kid_nul": "rsa-1\0",
        "kid_nul_inside": "rsa\0-1",
        "kid_crlf": "rsa-1\r\nX-Injected: 1",
        "kid_newline": "rsa-1\n",
        "kid_traversal": "../../../../../../dev/null",
        "kid_traversal_encoded": "..%2f..%2fdev%2fnull",
        "kid_absolute": "/dev/null",
        "kid_sql": "x' UNION SELECT 'key",
        "kid_sql_or": "rsa-1' OR '1'='1",
        "kid_command": "rsa-1|/usr/bin/id",
        "kid_backticks": "`id`",
        "kid_template": "{{7*7}}",
        "kid_url": "https://attacker.example/key",
        "kid_homoglyph": "rsа-1",
        "kid_full_width": "ｒｓａ－１",
        "kid_zero_width": "rsa\u200b-1",
        "kid_log_injection": "x\x1b[2K\x1b[1A forged line",
        "kid_html": "<script>alert(1)</script>",
        "kid_proto": "__proto__",
        "kid_constructor": "constructor",
        "kid_index": "0",
        "kid_wildcard": "*",
        "kid_dot": ".",
        "kid_256": "k" * 256,
    }.items():
        corpus.add(name, "kid", token(claims(name), head=header(kid=kid)), "unknown_key")
    name = "kid_missing"
    corpus.add(name, "kid", token(claims(name), head=header(kid=None)), "key_id")
    for name, kid in {
        "kid_empty": "",
        "kid_257": "k" * 257,
        "kid_null": "null",
        "kid_number": "1",
        "kid_true": "true",
        "kid_array": '["rsa-1"]',
        "kid_object": '{"kid":"rsa-1"}',
    }.items():
        raw = kid if name in ("kid_null", "kid_number", "kid_true", "kid_array", "kid_object") else dumps(kid)
        corpus.add(name, "kid", token(claims(name), head='{"alg":"RS256","kid":%s}' % raw), "key_id")
    name = "kid_100_kilobytes"
    corpus.add(name, "oversized", token(claims(name), head=header(kid="k" * 100_000)), "oversized")
    for alg, kid in (("RS256", "rsa-retired"), ("EdDSA", "ed-retired")):
        name = f"retired_key_{alg.lower()}"
        corpus.add(name, "retired-key", token(claims(name), alg, kid, header(alg, kid=kid)), "unknown_key")
    for alg, key in (("RS256", "rsa-foreign"), ("ES256", "ec-foreign"), ("EdDSA", "ed-foreign")):
        name = f"same_kid_foreign_key_{alg.lower()}"
        corpus.add(name, "foreign-key", token(claims(name), alg, key), "signature")
    for name, alg, kid, key in (
        ("kid_of_another_key_rsa", "RS256", "rsa-2", "rsa-1"),
        ("kid_of_another_key_ec", "ES256", "ec-2", "ec-1"),
        ("kid_of_another_key_ed", "EdDSA", "ed-2", "ed-1"),
    ):
        corpus.add(name, "foreign-key", token(claims(name), alg, key, header(alg, kid=kid)), "signature")


def header_members(corpus):
    for name, changes in {
        "crit_unknown": {"crit": ["http://example.com/unknown"], "http://example.com/unknown": True},
        "crit_exp": {"crit": ["exp"], "exp": NOW + 60},
        "crit_empty": {"crit": []},
        "crit_duplicate": {"crit": ["x", "x"], "x": 1},
        "crit_not_array": {"crit": "exp"},
        "crit_standard_name": {"crit": ["alg"]},
        "crit_kid": {"crit": ["kid"]},
        "crit_missing_member": {"crit": ["ghost"]},
        "crit_number": {"crit": [1]},
        "crit_object": {"crit": {}},
        "crit_empty_name": {"crit": [""], "": 1},
        "crit_b64": {"crit": ["b64"], "b64": True},
        "b64_true": {"b64": True},
        "b64_false_not_crit": {"b64": False},
        "b64_string": {"b64": "false"},
        "zip_deflate": {"zip": "DEF"},
        "zip_gzip": {"zip": "GZIP"},
        "zip_empty": {"zip": ""},
        "enc_present": {"enc": "A256GCM"},
        "cty_jwt": {"cty": "JWT"},
        "cty_jwt_lower": {"cty": "jwt"},
    }.items():
        kind = {"c": "crit", "b": "b64", "z": "zip", "e": "zip"}[name[0]] if not name.startswith("cty") else "cty"
        corpus.add(name, kind, token(claims(name), head=header(**changes)), "extension")
    for name, raw in (
        ("crit_null", '"crit":null'),
        ("crit_true", '"crit":true'),
        ("zip_null", '"zip":null'),
        ("b64_null", '"b64":null'),
        ("enc_null", '"enc":null'),
        ("typ_null", '"typ":null'),
        ("typ_number", '"typ":1'),
        ("typ_array", '"typ":["JWT"]'),
    ):
        corpus.add(
            name,
            name.split("_")[0],
            token(claims(name), head='{"alg":"RS256","kid":"rsa-1",%s}' % raw),
            "header" if name.startswith("typ") else "extension",
        )
    # RFC 7797: the payload is signed as it is, and critical.
    head = {"alg": "RS256", "kid": "rsa-1", "b64": False, "crit": ["b64"]}
    payload = b64u(dumps(claims("b64_false")).encode())
    start = b64u(dumps(head).encode())
    corpus.add(
        "b64_false", "b64", f"{start}.{payload}." + b64u(rsa_sign("rsa-1", f"{start}.{payload}".encode())), "extension"
    )
    for typ in (
        "at+jwt",
        "application/at+jwt",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "JWE",
        "JOSE",
        "JOSE+JSON",
        "jwt-bearer",
        "JWT ",
        "",
        "token-introspection+jwt",
        "kb+jwt",
        "text/html",
    ):
        name = "typ_" + (typ.replace("+", "_").replace("/", "_").replace("-", "_").replace(" ", "_space") or "empty")
        corpus.add(name, "typ", token(claims(name), head=header(typ=typ)), "type")
    inner = token(claims("nested_jws"))
    corpus.add("nested_jws", "cty", token(inner, head=header(cty="JWT")), "extension")
    corpus.add("nested_jws_without_cty", "cty", token(inner), "payload")


def header_json(corpus):
    duplicates = {
        "header_duplicate_alg": '{"alg":"none","alg":"RS256","kid":"rsa-1"}',
        "header_duplicate_alg_last_none": '{"alg":"RS256","alg":"none","kid":"rsa-1"}',
        "header_duplicate_alg_same": '{"alg":"RS256","alg":"RS256","kid":"rsa-1"}',
        "header_duplicate_kid": '{"alg":"RS256","kid":"rsa-foreign","kid":"rsa-1"}',
        "header_duplicate_kid_escaped": r'{"alg":"RS256","kid":"rsa-1","\u006bid":"rsa-1"}',
        "header_duplicate_unknown": '{"alg":"RS256","kid":"rsa-1","x":1,"x":1}',
        "header_duplicate_nested": '{"alg":"RS256","kid":"rsa-1","x":{"y":1,"y":2}}',
        "header_duplicate_in_array": '{"alg":"RS256","kid":"rsa-1","x":[{"y":1,"y":2}]}',
        "header_duplicate_in_jwk": '{"alg":"RS256","kid":"rsa-1","jwk":{"kty":"RSA","kty":"oct"}}',
    }
    for name, text in duplicates.items():
        corpus.add(name, "duplicate", token(claims(name), head=text), "header")
    magic = {
        "header_raw_value": '{"$serde_json::private::RawValue":"{\\"alg\\":\\"RS256\\",\\"kid\\":\\"rsa-1\\"}"}',
        "header_raw_value_beside": '{"$serde_json::private::RawValue":"{}","alg":"RS256","kid":"rsa-1"}',
    }
    for name, text in magic.items():
        corpus.add(name, "serde-magic", token(claims(name), head=text), "header")
    good = '{"alg":"RS256","kid":"rsa-1"}'
    for name, text in {
        "header_array": '["RS256","rsa-1"]',
        "header_array_of_object": f"[{good}]",
        "header_string": '"RS256"',
        "header_number": "1",
        "header_null": "null",
        "header_trailing_comma": '{"alg":"RS256","kid":"rsa-1",}',
        "header_trailing_garbage": good + "x",
        "header_two_objects": good + good,
        "header_comment": "/**/" + good,
        "header_single_quotes": "{'alg':'RS256','kid':'rsa-1'}",
        "header_unquoted": '{alg:"RS256",kid:"rsa-1"}',
        "header_truncated": good[:-1],
        "header_bom": "\ufeff" + good,
        "header_utf16": good.encode("utf-16-le"),
        "header_bad_utf8": b'{"alg":"RS256","kid":"rsa-1","x":"\xff"}',
        "header_overlong_utf8": b'{"alg":"RS256","kid":"rsa-1","x":"\xc0\xaf"}',
        "header_lone_surrogate": r'{"alg":"RS256","kid":"rsa-1","x":"\ud800"}',
        "header_raw_newline": '{"alg":"RS256","kid":"rsa-1","x":"a\nb"}',
        "header_nul_tail": good + "\0",
        "header_nan": '{"alg":"RS256","kid":"rsa-1","x":NaN}',
        "header_deep": '{"alg":"RS256","kid":"rsa-1","x":' + "[" * 1000 + "]" * 1000 + "}",
        "header_5000_bytes": '{"alg":"RS256","kid":"rsa-1","pad":"' + "p" * 4960 + '"}',
    }.items():
        reason = "oversized" if name == "header_5000_bytes" else "header"
        corpus.add(name, "header-json", token(claims(name), head=text), reason)


def fixed_salt_pss(name, message, digest="sha256"):
    """RSASSA-PSS (RFC 8017 section 8.1.1) with a fixed salt, so that the corpus stays the same."""
    n, _, d = KEYS.numbers(name)
    size, length = 256, hashlib.new(digest).digest_size
    salt = b"\x5a" * length
    h = hashlib.new(digest, bytes(8) + hashlib.new(digest, message).digest() + salt).digest()
    db = bytes(size - 2 * length - 2) + b"\x01" + salt
    mask = b"".join(hashlib.new(digest, h + i.to_bytes(4, "big")).digest() for i in range(16))[: len(db)]
    masked = bytearray(x ^ y for x, y in zip(db, mask))
    masked[0] &= 0x7F
    return rsa_raw(n, d, bytes(masked) + h + b"\xbc")
