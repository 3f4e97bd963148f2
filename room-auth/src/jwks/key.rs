//! One public key: what makes it fit to verify a token, and the check itself.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jws::{Algorithm, MAX_KID_BYTES, sha256};
use crate::jwt::json::{self, Object, Value};

/// Members that only a private or a symmetric key has (RFC 7518, section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum KeyFault {
    /// Not a JSON object, or a member has the wrong type or is not canonical base64url.
    #[error("key is malformed")]
    Malformed,
    /// A symmetric key. Whoever reads the set could sign with it.
    #[error("symmetric key published")]
    Symmetric,
    /// It carries private members: whoever reads the set can sign.
    #[error("private key material published")]
    PrivateMaterial,
    /// `use` is not `sig`, or `key_ops` does not hold `verify`.
    #[error("key is not for verifying signatures")]
    NotForSignatures,
    /// A type, curve or algorithm that this crate does not verify.
    #[error("key type or algorithm is not supported")]
    Unsupported,
    /// `alg` and the type or curve of the key contradict each other.
    #[error("key algorithm and key type contradict each other")]
    Contradiction,
    /// No `kid`, so that no token can name it.
    #[error("key has no usable id")]
    NoKeyId,
    /// An earlier entry has the same `kid`; neither is used.
    #[error("another key has the same id")]
    DuplicateKeyId,
    /// An RSA modulus of less than 2048 or more than 8192 bits, or one that a prime below 168
    /// divides.
    #[error("modulus has the wrong size or a small factor")]
    Modulus,
    /// An RSA exponent that is even or below 65537.
    #[error("public exponent is even or below 65537")]
    Exponent,
    /// The modulus has the fingerprint of CVE-2017-15361 (ROCA): the private key can be computed.
    #[error("modulus has the ROCA fingerprint")]
    Roca,
    /// The coordinates are no point on the curve.
    #[error("not a point on the curve")]
    NotOnCurve,
    /// A point of small order: signatures under it can be forged.
    #[error("point of small order")]
    SmallOrder,
    /// The cryptographic library does not take the key.
    #[error("key was refused by the library")]
    Rejected,
}

impl KeyFault {
    /// Whether a person should hear of it: secret material in public, or keys that are broken on
    /// purpose or by a known flaw. The others are keys for someone else.
    pub fn is_alarming(self) -> bool {
        match self {
            Self::Symmetric
            | Self::PrivateMaterial
            | Self::DuplicateKeyId
            | Self::Modulus
            | Self::Exponent
            | Self::Roca
            | Self::NotOnCurve
            | Self::SmallOrder => true,
            Self::Malformed
            | Self::NotForSignatures
            | Self::Unsupported
            | Self::Contradiction
            | Self::NoKeyId
            | Self::Rejected => false,
        }
    }
}

/// The SHA-256 thumbprint of a key (RFC 7638): the same key has the same one under any id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Of the 32 bytes of a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the base64url form.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// A public key that has passed every check, parsed and ready, for one algorithm.
pub struct Key {
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
    thumbprint: Thumbprint,
}

impl Key {
    /// Reads one JSON Web Key.
    ///
    /// # Errors
    /// Says why the key cannot be trusted with a token.
    pub fn from_jwk(json: &[u8]) -> Result<Self, KeyFault> {
        let value = json::parse(json).map_err(|_| KeyFault::Malformed)?;
        Self::from_value(&value)
    }

    pub(crate) fn from_value(value: &Value<'_>) -> Result<Self, KeyFault> {
        let jwk = value.as_object().ok_or(KeyFault::Malformed)?;
        let kty = text(jwk, "kty")?.ok_or(KeyFault::Malformed)?;
        if kty == "oct" {
            return Err(KeyFault::Symmetric);
        }
        if PRIVATE_MEMBERS.iter().any(|name| jwk.has(name)) {
            return Err(KeyFault::PrivateMaterial);
        }
        check_purpose(jwk)?;
        let algorithm = algorithm(jwk, kty)?;
        let kid = match text(jwk, "kid")? {
            Some(kid) if kid.is_empty() || kid.len() > MAX_KID_BYTES => {
                return Err(KeyFault::NoKeyId);
            }
            kid => kid.map(Box::from),
        };
        let (parsed, thumbprint) = match algorithm {
            Algorithm::Rs256 => rsa(jwk)?,
            Algorithm::Es256 => p256(jwk)?,
            Algorithm::EdDsa => ed25519(jwk)?,
        };
        Ok(Self { kid, algorithm, parsed, thumbprint })
    }

    /// The key's id in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its RFC 7638 thumbprint.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

fn text<'j>(jwk: &'j Object<'_>, name: &str) -> Result<Option<&'j str>, KeyFault> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyFault::Malformed),
    }
}

fn check_purpose(jwk: &Object<'_>) -> Result<(), KeyFault> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyFault::NotForSignatures);
    }
    let Some(operations) = jwk.get("key_ops") else { return Ok(()) };
    let operations = operations.as_array().ok_or(KeyFault::Malformed)?;
    let mut verifies = false;
    for operation in operations {
        verifies |= operation.as_str().ok_or(KeyFault::Malformed)? == "verify";
    }
    if verifies { Ok(()) } else { Err(KeyFault::NotForSignatures) }
}

/// The one algorithm of a key. Without `alg` it is the only one this crate has for that type.
fn algorithm(jwk: &Object<'_>, kty: &str) -> Result<Algorithm, KeyFault> {
    let curve = text(jwk, "crv")?;
    let named = text(jwk, "alg")?;
    let by_type = match (kty, curve) {
        ("RSA", _) => Some(Algorithm::Rs256),
        ("EC", Some("P-256")) => Some(Algorithm::Es256),
        ("OKP", Some("Ed25519")) => Some(Algorithm::EdDsa),
        _ => None,
    };
    match (named, by_type) {
        (None, Some(algorithm)) => Ok(algorithm),
        (None, None) => Err(KeyFault::Unsupported),
        (Some(name), by_type) => match (Algorithm::parse(name), by_type) {
            (Some(named), Some(by_type)) if named == by_type => Ok(named),
            (Some(_), _) => Err(KeyFault::Contradiction),
            (None, _) => Err(KeyFault::Unsupported),
        },
    }
}

fn bytes(jwk: &Object<'_>, name: &str) -> Result<Vec<u8>, KeyFault> {
    let text = text(jwk, name)?.ok_or(KeyFault::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyFault::Malformed)
}

fn coordinate(jwk: &Object<'_>, name: &str) -> Result<[u8; 32], KeyFault> {
    bytes(jwk, name)?.try_into().map_err(|_| KeyFault::NotOnCurve)
}

fn thumbprint(canonical: &str) -> Thumbprint {
    Thumbprint(sha256(canonical.as_bytes()))
}

fn rsa(jwk: &Object<'_>) -> Result<(ParsedPublicKey, Thumbprint), KeyFault> {
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    // Base64urlUInt has no leading zero octets (RFC 7518, section 2).
    if n.first().is_none_or(|&first| first == 0) || e.first().is_none_or(|&first| first == 0) {
        return Err(KeyFault::Malformed);
    }
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    let is_even = n.last().is_some_and(|last| last % 2 == 0);
    let has_small_factor = || SMALL_PRIMES.iter().any(|&prime| residue(&n, prime) == 0);
    if !(2048..=8192).contains(&bits) || is_even || has_small_factor() {
        return Err(KeyFault::Modulus);
    }
    if e.len() > 8 {
        return Err(KeyFault::Exponent);
    }
    let exponent = e.iter().fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
    if exponent < 65_537 || exponent % 2 == 0 {
        return Err(KeyFault::Exponent);
    }
    if has_roca_fingerprint(&n) {
        return Err(KeyFault::Roca);
    }
    let components = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
    let parsed = components
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| KeyFault::Rejected)?;
    let (n, e) = (URL_SAFE_NO_PAD.encode(&n), URL_SAFE_NO_PAD.encode(&e));
    Ok((parsed, thumbprint(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))))
}

fn p256(jwk: &Object<'_>) -> Result<(ParsedPublicKey, Thumbprint), KeyFault> {
    let (x, y) = (coordinate(jwk, "x")?, coordinate(jwk, "y")?);
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&x);
    point[33..].copy_from_slice(&y);
    let parsed =
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyFault::NotOnCurve)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Ok((parsed, thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))))
}

fn ed25519(jwk: &Object<'_>) -> Result<(ParsedPublicKey, Thumbprint), KeyFault> {
    let x = coordinate(jwk, "x")?;
    if has_small_order(&x) {
        return Err(KeyFault::SmallOrder);
    }
    let parsed = ParsedPublicKey::new(&ED25519, x).map_err(|_| KeyFault::Rejected)?;
    let x = URL_SAFE_NO_PAD.encode(x);
    Ok((parsed, thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))))
}

/// Small primes, for what a sound modulus never shows when divided by them.
const SMALL_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

fn residue(modulus: &[u8], prime: u32) -> u32 {
    modulus.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime)
}

/// Whether an RSA modulus was made by the flawed generator of CVE-2017-15361.
///
/// Its primes are `k·M + (65537^a mod M)` with `M` a product of small primes, so the modulus is a
/// power of 65537 modulo each of them. A sound modulus passes all of these by chance once in
/// about 10^8 keys.
fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    SMALL_PRIMES.iter().all(|&prime| {
        let residue = residue(modulus, prime);
        let mut power = 1;
        loop {
            if power == residue {
                return true;
            }
            power = power * 65_537 % prime;
            if power == 1 {
                return false;
            }
        }
    })
}

/// Whether an Ed25519 public key generates only a handful of points, or is written in a way that
/// RFC 8032 does not allow (y not below p).
fn has_small_order(encoded: &[u8; 32]) -> bool {
    /// Order 8, the two values of y.
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = *encoded;
    y[31] &= 0x7f;
    let is_small = y[1..].iter().all(|&byte| byte == 0) && y[0] <= 1;
    // From p - 1 (order 2) upwards: p = 2^255 - 19 ends in 0xed, and nothing above it is canonical.
    let is_high = y[31] == 0x7f && y[1..31].iter().all(|&byte| byte == 0xff) && y[0] >= 0xec;
    is_small || is_high || ORDER_8.contains(&y)
}
