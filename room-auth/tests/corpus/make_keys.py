"""Makes keys.json once: private test keys, public on purpose, good for nothing but this corpus."""

import json
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from crafting import b64u, int_b64u


def is_prime(n, rounds=40):
    if n < 2 or n % 2 == 0:
        return n == 2
    for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        if n % small == 0:
            return n == small
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(rounds):
        x = pow(secrets.randbelow(n - 3) + 2, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(bits, e=65537):
    while True:
        p = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        if (p - 1) % e and is_prime(p):
            return p


def low_prime(bits, e=65537):
    """A prime between 2^(bits-1) and 2^(bits-0.5), so that two of them give 2*bits-1 bits."""
    while True:
        p = (secrets.randbits(bits - 2) >> 1) | (1 << (bits - 1)) | 1
        if (p - 1) % e and is_prime(p):
            return p


def roca_prime(bits, e=65537):
    """A prime k*M + (65537^a mod M), the shape Infineon's library gave its primes (CVE-2017-15361)."""
    primes, candidate = [], 2
    while len(primes) < 126:
        if all(candidate % p for p in primes):
            primes.append(candidate)
        candidate += 1
    m = 1
    for p in primes:
        m *= p
    while True:
        k = secrets.randbits(bits - m.bit_length())
        p = k * m + pow(65537, secrets.randbits(64), m)
        if p.bit_length() == bits and (p >> (bits - 2)) == 3 and (p - 1) % e and is_prime(p):
            return p


def rsa_parts(primes, e=65537):
    n, phi = 1, 1
    for p in primes:
        n, phi = n * p, phi * (p - 1)
    return {
        "kty": "RSA",
        "n": int_b64u(n),
        "e": int_b64u(e),
        "primes": [int_b64u(p) for p in primes],
        "d": int_b64u(pow(e, -1, phi)),
    }


def library_rsa(bits, e=65537):
    numbers = rsa.generate_private_key(e, bits).private_numbers()
    return rsa_parts([numbers.p, numbers.q], e)


def ec_parts(curve, name):
    numbers = ec.generate_private_key(curve).private_numbers()
    size = (curve.key_size + 7) // 8
    public = numbers.public_numbers
    return {
        "kty": "EC",
        "crv": name,
        "x": int_b64u(public.x, size),
        "y": int_b64u(public.y, size),
        "d": int_b64u(numbers.private_value, size),
    }


def ed_parts():
    key = ed25519.Ed25519PrivateKey.generate()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": b64u(key.public_key().public_bytes_raw()),
        "d": b64u(key.private_bytes_raw()),
    }


def main():
    keys = {
        "rsa-1": library_rsa(2048),
        "rsa-2": library_rsa(2048),
        "rsa-3072": library_rsa(3072),
        "rsa-4096": library_rsa(4096),
        "rsa-8192": library_rsa(8192),
        "rsa-retired": library_rsa(2048),
        "rsa-foreign": library_rsa(2048),
        "rsa-access": library_rsa(2048),
        "rsa-org": library_rsa(2048),
        "rsa-e3": library_rsa(2048, 3),
        "rsa-1024": library_rsa(1024),
        "rsa-2047": rsa_parts([low_prime(1024), low_prime(1024)]),
        "rsa-8256": rsa_parts([prime(1032) for _ in range(8)]),
        "rsa-16384": rsa_parts([prime(1024) for _ in range(16)]),
        "rsa-32768": rsa_parts([prime(1024) for _ in range(32)]),
        "rsa-roca": rsa_parts([roca_prime(1024), roca_prime(1024)]),
        "ec-1": ec_parts(ec.SECP256R1(), "P-256"),
        "ec-2": ec_parts(ec.SECP256R1(), "P-256"),
        "ec-foreign": ec_parts(ec.SECP256R1(), "P-256"),
        "ec-p384": ec_parts(ec.SECP384R1(), "P-384"),
        "ec-p521": ec_parts(ec.SECP521R1(), "P-521"),
        "ec-k1": ec_parts(ec.SECP256K1(), "secp256k1"),
        "ed-1": ed_parts(),
        "ed-2": ed_parts(),
        "ed-foreign": ed_parts(),
        "ed-retired": ed_parts(),
        "hmac-now": {"kty": "oct", "k": b64u(secrets.token_bytes(48))},
        "hmac-before": {"kty": "oct", "k": b64u(secrets.token_bytes(32))},
        "hmac-stranger": {"kty": "oct", "k": b64u(secrets.token_bytes(48))},
    }
    path = Path(__file__).with_name("keys.json")
    path.write_text(json.dumps(keys, indent=1) + "\n")


if __name__ == "__main__":
    main()
