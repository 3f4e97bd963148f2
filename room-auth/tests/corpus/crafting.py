"""What the libraries refuse to make: raw tokens, raw signatures, broken keys. No randomness anywhere."""

import base64
import hashlib
import hmac as hmac_module
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ED_P = 2**255 - 19
ED_L = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P

# RFC 8017 section 9.2, note 1, and two that must not pass.
DIGEST_INFO = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
    "sha256-without-null": bytes.fromhex("302f300b0609608648016503040201" + "0420"),
}


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def int_b64u(number, size=None):
    return b64u(number.to_bytes(size or max(1, (number.bit_length() + 7) // 8), "big"))


def b64u_int(text):
    return int.from_bytes(unb64u(text), "big")


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def as_bytes(part):
    """A part of a token: bytes as they are, text as UTF-8, anything else as compact JSON."""
    if isinstance(part, bytes):
        return part
    return (part if isinstance(part, str) else dumps(part)).encode("utf-8", "surrogatepass")


class Keys:
    """The private test keys, by name."""

    def __init__(self):
        path = Path(__file__).with_name("keys.json")
        self.raw = json.loads(path.read_text()) if path.exists() else {}

    def private(self, name):
        key = self.raw[name]
        if key["kty"] == "RSA":
            p, q = (b64u_int(x) for x in key["primes"])
            d, e, n = b64u_int(key["d"]), b64u_int(key["e"]), b64u_int(key["n"])
            numbers = rsa.RSAPrivateNumbers(
                p,
                q,
                d,
                rsa.rsa_crt_dmp1(d, p),
                rsa.rsa_crt_dmq1(d, q),
                rsa.rsa_crt_iqmp(p, q),
                rsa.RSAPublicNumbers(e, n),
            )
            return numbers.private_key(unsafe_skip_rsa_key_validation=True)
        if key["kty"] == "EC":
            curve = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}[
                key["crv"]
            ]()
            return ec.derive_private_key(b64u_int(key["d"]), curve)
        return ed25519.Ed25519PrivateKey.from_private_bytes(unb64u(key["d"]))

    def secret(self, name):
        """A shared secret is text, as it would stand in an environment variable."""
        return self.raw[name]["k"].encode()

    def jwk(self, name, **changes):
        """The public JWK; a change to None removes the member."""
        key = {k: v for k, v in self.raw[name].items() if k not in ("d", "primes", "k")}
        alg = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[key["kty"]]
        jwk = {"kid": name, "use": "sig", "alg": alg, **key, **changes}
        return {k: v for k, v in jwk.items() if v is not None}

    def numbers(self, name):
        key = self.raw[name]
        return b64u_int(key["n"]), b64u_int(key["e"]), b64u_int(key["d"])

    def pem(
        self, name, public_format=serialization.PublicFormat.SubjectPublicKeyInfo, encoding=serialization.Encoding.PEM
    ):
        return self.private(name).public_key().public_bytes(encoding, public_format)


KEYS = Keys()


def pkcs1_block(message, size, digest="sha256", info=None, fill=None, kind=1, tail=b""):
    """EMSA-PKCS1-v1_5 (RFC 8017 section 9.2), with each part open to abuse."""
    name = digest.split("-")[0]
    inner = DIGEST_INFO[info or digest] + hashlib.new(name, message).digest() + tail
    padding = b"\xff" * (fill if fill is not None else size - 3 - len(inner))
    block = bytes([0, kind]) + padding + b"\x00" + inner
    return block + b"\x00" * (size - len(block))


def rsa_raw(n, d, block, primes=None):
    number = int.from_bytes(block, "big")
    size = (n.bit_length() + 7) // 8
    if primes:  # Chinese remainders, or a 32,768-bit key takes minutes.
        result, modulus = 0, 1
        for p in primes:
            part = pow(number % p, d % (p - 1), p)
            result += modulus * ((part - result) * pow(modulus, -1, p) % p)
            modulus *= p
    else:
        result = pow(number, d, n)
    return result.to_bytes(size, "big")


def rsa_sign(name, message, digest="sha256", **kwargs):
    n, _, d = KEYS.numbers(name)
    primes = [b64u_int(p) for p in KEYS.raw[name]["primes"]]
    return rsa_raw(n, d, pkcs1_block(message, (n.bit_length() + 7) // 8, digest, **kwargs), primes)


def ec_numbers(name, message, algorithm=None):
    """(r, s) of a deterministic ECDSA signature (RFC 6979)."""
    der = KEYS.private(name).sign(message, ec.ECDSA(algorithm or hashes.SHA256(), deterministic_signing=True))
    return decode_dss_signature(der)


def rs(r, s, size=32):
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def ec_sign(name, message, algorithm=None, size=32):
    return rs(*ec_numbers(name, message, algorithm), size)


def sign(alg, name, message):
    """A right signature of the algorithm by the named key."""
    if alg.startswith("RS"):
        return rsa_sign(name, message, "sha" + alg[2:])
    if alg.startswith("ES"):
        return ec_sign(name, message)
    if alg.startswith("HS"):
        return hmac(alg, KEYS.secret(name), message)
    return KEYS.private(name).sign(message)


def hmac(alg, secret, message):
    return hmac_module.new(secret, message, "sha" + alg[2:]).digest()


def compact(header, payload, signature):
    """header.payload.signature; the signature is bytes, or a function of the signing input."""
    start = b64u(as_bytes(header)) + "." + b64u(as_bytes(payload))
    made = signature(start.encode()) if callable(signature) else signature
    return start + "." + b64u(made)


# Edwards curve arithmetic, for keys and signatures no library makes.


def ed_add(p, q):
    (x1, y1), (x2, y2) = p, q
    t = ED_D * x1 * x2 * y1 * y2 % ED_P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, -1, ED_P) % ED_P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, ED_P) % ED_P)


def ed_mul(k, p):
    result = (0, 1)
    while k:
        if k & 1:
            result = ed_add(result, p)
        p, k = ed_add(p, p), k >> 1
    return result


def ed_encode(p):
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def ed_decode(data):
    """The point, or None where there is none; y is reduced, as lax decoders do."""
    y = int.from_bytes(data, "little")
    sign_bit, y = y >> 255, (y & (2**255 - 1)) % ED_P
    u, v = (y * y - 1) % ED_P, (ED_D * y * y + 1) % ED_P
    x = pow(u * pow(v, -1, ED_P) % ED_P, (ED_P + 3) // 8, ED_P)
    if (x * x * v - u) % ED_P:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    if (x * x * v - u) % ED_P:
        return None
    return (-x % ED_P if x & 1 != sign_bit else x), y


def ed_order(p):
    q, order = p, 1
    while q != (0, 1) and order <= 8:
        q, order = ed_add(q, p), order + 1
    return order if order <= 8 else None


def ed_small_order_encodings():
    """All encodings, canonical or not, of the eight points of small order."""
    found = {}
    point_of_order_8 = None
    y = 2
    while point_of_order_8 is None:
        point = ed_decode(y.to_bytes(32, "little"))
        if point:
            torsion = ed_mul(ED_L, point)
            if ed_order(torsion) == 8:
                point_of_order_8 = torsion
        y += 1
    for k in range(8):
        x, y = ed_mul(k, point_of_order_8)
        order = ed_order((x, y)) if (x, y) != (0, 1) else 1
        for encoded_y in (y, y + ED_P):
            if encoded_y < 2**255:
                for bit in (0, 1):
                    if bit == x & 1 or x == 0:
                        data = (encoded_y | bit << 255).to_bytes(32, "little")
                        found.setdefault(data, order)
    return found


def ed_forge(public, message):
    """A signature by nobody: R is a small-order point, S is zero; verifies where k*A = -R."""
    a = ed_decode(public)
    for r in sorted(ed_small_order_encodings()):
        k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % ED_L
        x, y = ed_mul(k % 8, a)
        if r == ed_encode((-x % ED_P, y)):
            return r + bytes(32)
    return None
