"""Hostile signatures over sound claims, and hostile ways to write a token down."""

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from crafting import (
    ED_L,
    KEYS,
    P256_N,
    b64u,
    compact,
    dumps,
    ec_numbers,
    ec_sign,
    int_b64u,
    pkcs1_block,
    rs,
    rsa_raw,
    rsa_sign,
)
from rows import (
    claims,
    header,
    spoiled,
    token,
)
from rows_header import fixed_salt_pss


def add_rows(corpus):
    signatures_rsa(corpus)
    signatures_ec(corpus)
    signatures_ed(corpus)
    encodings(corpus)


def signatures_rsa(corpus):
    n, e, d = KEYS.numbers("rsa-1")

    def raw(block):
        return rsa_raw(n, d, block)

    for name, how in {
        "rsa_sig_zero": bytes(256),
        "rsa_sig_one": (1).to_bytes(256, "big"),
        "rsa_sig_n": n.to_bytes(256, "big"),
        "rsa_sig_n_less_one": (n - 1).to_bytes(256, "big"),
        "rsa_sig_ff": b"\xff" * 256,
        "rsa_sig_one_byte": b"\x01",
        "rsa_sig_leading_zero": lambda m: b"\0" + rsa_sign("rsa-1", m),
        "rsa_sig_trailing_zero": lambda m: rsa_sign("rsa-1", m) + b"\0",
        "rsa_sig_twice": lambda m: rsa_sign("rsa-1", m) * 2,
        "rsa_sig_half": lambda m: rsa_sign("rsa-1", m)[:128],
        "rsa_sig_last_bit": lambda m: flip(rsa_sign("rsa-1", m), -1),
        "rsa_sig_first_bit": lambda m: flip(rsa_sign("rsa-1", m), 0),
        "rsa_sig_negated": lambda m: (n - int.from_bytes(rsa_sign("rsa-1", m), "big")).to_bytes(256, "big"),
        "rsa_unpadded_digest": lambda m: raw(hashlib.sha256(m).digest().rjust(256, b"\0")),
        "rsa_type_2_block": lambda m: raw(pkcs1_block(m, 256, kind=2)),
        "rsa_type_0_block": lambda m: raw(pkcs1_block(m, 256, kind=0)),
        "rsa_digest_info_without_null": lambda m: raw(pkcs1_block(m, 256, info="sha256-without-null")),
        "rsa_digest_info_sha512": lambda m: raw(pkcs1_block(m, 256, info="sha512")),
        "rsa_sha1": lambda m: rsa_sign("rsa-1", m, "sha1"),
        "rsa_sha512_as_rs256": lambda m: rsa_sign("rsa-1", m, "sha512"),
        "rsa_short_padding": lambda m: raw(pkcs1_block(m, 256, fill=8, tail=b"\0" * 0)),
        "rsa_garbage_behind_digest": lambda m: raw(pkcs1_block(m, 256, fill=8, tail=b"\xaa" * 64)),
        "rsa_garbage_inside_block": lambda m: raw(pkcs1_block(m, 256, tail=b"\xaa" * 16)),
        "rsa_padding_not_ff": lambda m: raw(pkcs1_block(m, 256).replace(b"\xff\xff\xff\xff", b"\xff\xff\xfe\xff", 1)),
        "rsa_no_digest_info": lambda m: raw(b"\0\1" + b"\xff" * 221 + b"\0" + hashlib.sha256(m).digest()),
        "rsa_pss_as_rs256": lambda m: fixed_salt_pss("rsa-1", m),
        "rsa_signed_payload_only": lambda m: rsa_sign("rsa-1", m.split(b".")[1]),
        "rsa_signed_header_only": lambda m: rsa_sign("rsa-1", m.split(b".")[0]),
        "rsa_signed_with_dot": lambda m: rsa_sign("rsa-1", m + b"."),
        "rsa_of_digest": lambda m: rsa_sign("rsa-1", hashlib.sha256(m).digest()),
    }.items():
        corpus.add(name, "signature-rsa", token(claims(name), how=how), "signature")
    # s + n is congruent to s: a verifier that reduces first would take it.
    for counter in range(1000):
        payload = claims("rsa_sig_plus_n", try_=counter)
        made = compact(header(), payload, lambda m: rsa_sign("rsa-1", m))
        s = int.from_bytes(rsa_sign("rsa-1", made.rpartition(".")[0].encode()), "big")
        if s + n < 2**2048:
            corpus.add(
                "rsa_sig_plus_n", "signature-rsa", made.rpartition(".")[0] + "." + int_b64u(s + n, 256), "signature"
            )
            break
    # A signature whose first byte is zero, written without it.
    for counter in range(5000):
        payload = claims("rsa_sig_leading_zero_cut", try_=counter)
        made = compact(header(), payload, lambda m: rsa_sign("rsa-1", m))
        start, _, signature = made.rpartition(".")
        if signature.startswith("A") and rsa_sign("rsa-1", start.encode())[0] == 0:
            corpus.ok("ok_rsa_sig_begins_with_zero", "valid", made)
            corpus.add(
                "rsa_sig_leading_zero_cut",
                "signature-rsa",
                start + "." + b64u(rsa_sign("rsa-1", start.encode())[1:]),
                "signature",
            )
            break
    name = "payload_swapped"
    good, other = token(claims(name)), token(claims(name, role="admin"))
    corpus.add(
        name, "signature-rsa", ".".join([good.split(".")[0], other.split(".")[1], good.split(".")[2]]), "signature"
    )
    name = "header_swapped"
    good, other = token(claims(name)), token(claims(name), head=header(typ=None))
    corpus.add(name, "signature-rsa", ".".join([other.split(".")[0], *good.split(".")[1:]]), "signature")


def signatures_ec(corpus):
    n = P256_N
    fixed = {
        "zero": (0, 0),
        "r0_s1": (0, 1),
        "r1_s0": (1, 0),
        "r1_s1": (1, 1),
        "rn_s1": (n, 1),
        "r1_sn": (1, n),
        "rn_sn": (n, n),
        "r0_sn": (0, n),
        "rn_s0": (n, 0),
        "max": (2**256 - 1, 2**256 - 1),
        "rn_less_one": (n - 1, n - 1),
        "rn_plus_one": (n + 1, n + 1),
    }
    for tail, (r, s) in fixed.items():
        name = f"es_psychic_{tail}"
        corpus.add(name, "signature-ec", token(claims(name), "ES256", how=rs(r, s)), "signature")

    def parts(change):
        return lambda m: change(*ec_numbers("ec-1", m))

    def der(m):
        return KEYS.private("ec-1").sign(m, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    for name, how in {
        "es_der": der,
        "es_der_malleated": lambda m: der_of(*malleate(*ec_numbers("ec-1", m))),
        "es_63_bytes": lambda m: ec_sign("ec-1", m)[:63],
        "es_65_bytes": lambda m: ec_sign("ec-1", m) + b"\0",
        "es_leading_zero": lambda m: b"\0" + ec_sign("ec-1", m),
        "es_96_bytes": parts(lambda r, s: rs(r, s, 48)),
        "es_66_bytes_each_33": parts(lambda r, s: rs(r, s, 33)),
        "es_32_bytes": lambda m: ec_sign("ec-1", m)[:32],
        "es_swapped": parts(lambda r, s: rs(s, r)),
        "es_r_negated": parts(lambda r, s: rs(n - r, s)),
        "es_little_endian": parts(lambda r, s: r.to_bytes(32, "little") + s.to_bytes(32, "little")),
        "es_last_bit": lambda m: flip(ec_sign("ec-1", m), -1),
        "es_sha384": lambda m: ec_sign("ec-1", m, hashes.SHA384()),
        "es_sha512": lambda m: ec_sign("ec-1", m, hashes.SHA512()),
        "es_p384_key": lambda m: ec_sign("ec-p384", m, hashes.SHA384(), 48),
        "es_k1_key": lambda m: ec_sign("ec-k1", m),
        "es_hex": lambda m: ec_sign("ec-1", m).hex().encode(),
        "es_ieee_with_length": lambda m: b"\x40" + ec_sign("ec-1", m),
    }.items():
        corpus.add(name, "signature-ec", token(claims(name), "ES256", how=how), "signature")
    name = "es_empty"
    corpus.add(name, "signature-ec", token(claims(name), "ES256", how=b""), "signature")


def signatures_ed(corpus):
    def plus_l(m):
        signature = KEYS.private("ed-1").sign(m)
        s = int.from_bytes(signature[32:], "little") + ED_L
        return signature[:32] + s.to_bytes(32, "little")

    def good(m):
        return KEYS.private("ed-1").sign(m)

    for name, how in {
        "ed_s_plus_l": plus_l,
        "ed_zero": bytes(64),
        "ed_identity_r_zero_s": (1).to_bytes(32, "little") + bytes(32),
        "ed_63_bytes": lambda m: good(m)[:63],
        "ed_65_bytes": lambda m: good(m) + b"\0",
        "ed_32_bytes": lambda m: good(m)[:32],
        "ed_114_bytes": lambda m: good(m) + bytes(50),
        "ed_first_bit": lambda m: flip(good(m), 0),
        "ed_last_bit": lambda m: flip(good(m), -1),
        "ed_r_sign_bit": lambda m: good(m)[:31] + bytes([good(m)[31] ^ 0x80]) + good(m)[32:],
        "ed_s_high_bit": lambda m: good(m)[:63] + bytes([good(m)[63] | 0x80]),
        "ed_of_digest": lambda m: good(hashlib.sha512(m).digest()),
        "ed_halves_swapped": lambda m: good(m)[32:] + good(m)[:32],
        "ed_ff": b"\xff" * 64,
        "ed_s_is_l": lambda m: good(m)[:32] + ED_L.to_bytes(32, "little"),
        "ed_hex": lambda m: good(m).hex().encode(),
        "ed_is_es256": lambda m: ec_sign("ec-1", m),
    }.items():
        corpus.add(name, "signature-ed", token(claims(name), "EdDSA", how=how), "signature")


def encodings(corpus):
    good = token(claims("encoding"))
    head, payload, signature = good.split(".")

    def loose(part):  # the same bytes, with a bit set that the decoder must find to be zero
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        assert len(part) % 4 in (2, 3), len(part)
        return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]

    def resigned(a, b):  # rightly signed over what is sent
        return f"{a}.{b}." + b64u(rsa_sign("rsa-1", f"{a}.{b}".encode()))

    ragged_head = b64u(dumps(header(pad="")).encode()) if len(head) % 4 == 0 else head
    ragged = next(p for p in (b64u(dumps(claims("encoding", pad="x" * i)).encode()) for i in range(3)) if len(p) % 4)
    for name, text in {
        "empty": "",
        "one_dot": ".",
        "two_dots": "..",
        "three_dots": "...",
        "one_part": head,
        "two_parts": f"{head}.{payload}",
        "four_parts": good + ".x",
        "trailing_dot": good + ".",
        "leading_dot": "." + good,
        "double_dot": good.replace(".", "..", 1),
        "empty_header": f".{payload}.{signature}",
        "no_dots": good.replace(".", ""),
        "padded_signature": good + "==",
        "padded_header": f"{head}=.{payload}.{signature}",
        "padded_payload": f"{head}.{payload}=.{signature}",
        "padded_payload_signed": resigned(head, ragged + "=" * (-len(ragged) % 4)),
        "standard_alphabet": good.replace("-", "+").replace("_", "/"),
        "leading_space": " " + good,
        "trailing_space": good + " ",
        "trailing_newline": good + "\n",
        "trailing_crlf": good + "\r\n",
        "inner_newline": good.replace(".", ".\n", 1),
        "inner_space": good.replace(".", ". ", 1),
        "tab_inside": good[:40] + "\t" + good[40:],
        "nul_tail": good + "\0",
        "zero_width": good[:30] + "\u200b" + good[30:],
        "percent_dot": good.replace(".", "%2E"),
        "percent_char": "%" + format(ord(good[0]), "02X") + good[1:],
        "full_width_dot": good.replace(".", "．"),
        "bom": "\ufeff" + good,
        "quoted": f'"{good}"',
        "scheme_inside": "Bearer " + good,
        "comma_list": good + "," + good,
        "loose_header": resigned(loose(ragged_head), payload) if len(ragged_head) % 4 else None,
        "loose_payload": resigned(head, loose(ragged)),
        "loose_signature": f"{head}.{payload}." + loose(signature),
        "signature_length_1_mod_4": good + "AAA",
        "header_length_1_mod_4": head + "A" * (((1 - len(head)) % 4) or 4) + f".{payload}.{signature}",
        "tilde_disclosures": good + "~",
        "json_flattened": dumps({"protected": head, "payload": payload, "signature": signature}),
        "json_general": dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]}),
        "jwe_five_parts": f"{head}.{payload}.{signature}.{signature}.{signature}",
        "not_a_token": "hello",
        "percent_encoded_whole": good.replace("-", "%2D").replace("_", "%5F"),
        "base64_of_token": b64u(good.encode()),
        "upper_case": good.upper(),
    }.items():
        if text is not None:
            reason = "header" if name in ("two_dots", "empty_header") else "encoding"
            corpus.add("encoding_" + name, "encoding", text, reason)
    corpus.add("encoding_empty_signature", "encoding", f"{head}.{payload}.", "signature")
    corpus.add("encoding_empty_payload", "encoding", token(""), "payload")
    corpus.add("encoding_detached_payload", "encoding", f"{head}..{signature}", "payload")
    corpus.add("encoding_signature_cut", "encoding", good[:-4], "signature")
    bomb = {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2147483647, "p2s": b64u(bytes(16))}
    corpus.add("jwe_pbes2_bomb", "jwe", ".".join([b64u(dumps(bomb).encode())] + [b64u(bytes(24))] * 4), "encoding")
    corpus.add(
        "jws_pbes2_bomb", "jwe", compact({**bomb, "kid": "rsa-1"}, claims("jws_pbes2_bomb"), bytes(32)), "extension"
    )
    jwe = {"alg": "dir", "enc": "A256GCM", "zip": "DEF"}
    corpus.add(
        "jwe_dir_empty_key",
        "jwe",
        ".".join([b64u(dumps(jwe).encode()), "", b64u(bytes(12)), b64u(bytes(64)), b64u(bytes(16))]),
        "encoding",
    )
    corpus.add(
        "jwe_rsa_oaep",
        "jwe",
        ".".join([b64u(dumps({"alg": "RSA-OAEP", "enc": "A128GCM"}).encode())] + [b64u(bytes(16))] * 4),
        "encoding",
    )
    corpus.add("oversized_payload", "oversized", spoiled("oversized_payload", pad="p" * 20_000), "oversized")
    corpus.add("oversized_garbage", "oversized", "A" * 9000, "oversized")
    corpus.add("oversized_dots", "oversized", "." * 9000, "oversized")
    corpus.add("oversized_signature", "oversized", f"{head}.{payload}." + "A" * 8000, "oversized")


def flip(data, index):
    changed = bytearray(data)
    changed[index] ^= 1
    return bytes(changed)


def malleate(r, s):
    return r, P256_N - s


def der_of(r, s):
    return encode_dss_signature(r, s)
