//! The outer shell of a token: three segments, a header, a signature over the received bytes
//! (RFC 7515, compact serialisation only).
//!
//! Nothing here knows of claims, issuers or time. [`verify_with`] and [`verify`] are public because
//! test vectors and other protocols speak at this level; services want
//! [`Verifier`](crate::Verifier).

use std::borrow::Cow;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jwks::{Key, KeySet, Slot};
use crate::jwt::json::{self, Value};

/// The longest token that is looked at, in bytes. Real ones stay under 2 KiB; HTTP servers cut
/// headers at 8 or 16 KiB anyway.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest encoded header, in bytes.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;

/// The longest key id, in bytes.
pub const MAX_KID_BYTES: usize = 256;

/// A signature algorithm of RFC 7518 and RFC 8037 that this crate verifies with a public key.
///
/// One key has one algorithm; the token's header has to name the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519. `Ed25519`, its name in RFC 9864, is read as the same algorithm.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm with a public key.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a header and in a key set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that exact name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// What a header may name: a public-key algorithm, or HMAC for the legacy issuer alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderAlgorithm {
    Public(Algorithm),
    Hs256,
}

/// Why bytes are no JWS that this crate verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum JwsFault {
    /// Longer than [`MAX_TOKEN_BYTES`], or its header longer than [`MAX_HEADER_BYTES`].
    #[error("longer than allowed")]
    Oversized,
    /// Not three segments of canonical base64url without padding.
    #[error("not three base64url segments")]
    Encoding,
    /// The header is not one strict JSON object, or a member has the wrong type.
    #[error("header is not what it must be")]
    Header,
    /// The header asks for something that changes how the token is read: `crit`, `b64`, `zip`,
    /// `enc`, or a nested token.
    #[error("header asks for an extension")]
    Extension,
    /// No algorithm, or none of ours.
    #[error("algorithm is not allowed")]
    Algorithm,
    /// `kid` is missing where one is needed, empty, too long, or not a string.
    #[error("key id is missing or malformed")]
    KeyId,
    /// No key has this `kid`.
    #[error("no such key")]
    UnknownKey,
    /// Several keys have this `kid`, so none is used.
    #[error("several keys have this id")]
    AmbiguousKey,
    /// The key is for another algorithm.
    #[error("key is for another algorithm")]
    KeyAlgorithm,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
}

/// The segments of a token, decoded; nothing in them is proven.
pub(crate) struct Compact<'t> {
    signing_input: &'t [u8],
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Splits and decodes a token.
    pub(crate) fn split(token: &'t str) -> Result<Self, JwsFault> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwsFault::Oversized);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsFault::Encoding)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsFault::Encoding)?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(JwsFault::Oversized);
        }
        // A further dot is no base64url character, so a fourth segment fails here.
        let decode =
            |segment: &str| URL_SAFE_NO_PAD.decode(segment).map_err(|_| JwsFault::Encoding);
        Ok(Self {
            signing_input: signing_input.as_bytes(),
            header: decode(header)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// Whether `key` made the signature over the bytes as they were received.
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        key.verify(self.signing_input, &self.signature)
    }

    /// The bytes that the signature covers.
    pub(crate) fn signing_input(&self) -> &'t [u8] {
        self.signing_input
    }
}

/// The members of a header that decide anything. `jwk`, `jku` and `x5*` are not among them: keys
/// come from configuration only.
#[derive(Debug)]
pub(crate) struct Header<'h> {
    pub(crate) algorithm: HeaderAlgorithm,
    pub(crate) kid: Option<Cow<'h, str>>,
    pub(crate) typ: Option<Cow<'h, str>>,
}

impl<'h> Header<'h> {
    /// Reads a header strictly.
    pub(crate) fn parse(bytes: &'h [u8]) -> Result<Self, JwsFault> {
        let object = json::parse_object(bytes).map_err(|_| JwsFault::Header)?;
        for name in ["crit", "b64", "zip", "enc"] {
            if object.has(name) {
                return Err(JwsFault::Extension);
            }
        }
        let algorithm = match object.get("alg").and_then(Value::as_str) {
            Some("HS256") => HeaderAlgorithm::Hs256,
            Some(name) => {
                Algorithm::parse(name).map(HeaderAlgorithm::Public).ok_or(JwsFault::Algorithm)?
            }
            None => return Err(JwsFault::Algorithm),
        };
        let text = |name: &str, fault: JwsFault| match object.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(fault),
        };
        let kid = text("kid", JwsFault::KeyId)?;
        if kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID_BYTES) {
            return Err(JwsFault::KeyId);
        }
        let typ = text("typ", JwsFault::Header)?;
        if text("cty", JwsFault::Header)?.is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
            return Err(JwsFault::Extension);
        }
        Ok(Self { algorithm, kid, typ })
    }

    /// The public-key algorithm, if it is one.
    pub(crate) fn public_algorithm(&self) -> Option<Algorithm> {
        match self.algorithm {
            HeaderAlgorithm::Public(algorithm) => Some(algorithm),
            HeaderAlgorithm::Hs256 => None,
        }
    }
}

/// Verifies a compact JWS with the one key it must be signed by and returns its payload.
///
/// A `kid` in the header has to be the key's, if the key has one.
///
/// # Errors
/// Says what is wrong with the token; a caller from outside is told less.
pub fn verify_with(token: &str, key: &Key) -> Result<Vec<u8>, JwsFault> {
    let compact = Compact::split(token)?;
    let header = Header::parse(&compact.header)?;
    if let (Some(named), Some(kid)) = (&header.kid, key.kid())
        && named != kid
    {
        return Err(JwsFault::UnknownKey);
    }
    check(&compact, &header, key)?;
    Ok(compact.payload)
}

/// Verifies a compact JWS with the key of a set that its `kid` names and returns its payload.
///
/// # Errors
/// Says what is wrong with the token; a caller from outside is told less.
pub fn verify(token: &str, keys: &KeySet) -> Result<Vec<u8>, JwsFault> {
    let compact = Compact::split(token)?;
    let header = Header::parse(&compact.header)?;
    if header.public_algorithm().is_none() {
        return Err(JwsFault::Algorithm);
    }
    let kid = header.kid.as_deref().ok_or(JwsFault::KeyId)?;
    let key = match keys.find(kid) {
        Some(Slot::Key(key)) => key,
        Some(Slot::Ambiguous) => return Err(JwsFault::AmbiguousKey),
        None => return Err(JwsFault::UnknownKey),
    };
    check(&compact, &header, key)?;
    Ok(compact.payload)
}

/// Algorithm first, signature second: no key ever sees a signature of another algorithm.
pub(crate) fn check(compact: &Compact<'_>, header: &Header<'_>, key: &Key) -> Result<(), JwsFault> {
    match header.public_algorithm() {
        None => Err(JwsFault::Algorithm),
        Some(algorithm) if algorithm != key.algorithm() => Err(JwsFault::KeyAlgorithm),
        Some(_) if compact.is_signed_by(key) => Ok(()),
        Some(_) => Err(JwsFault::Signature),
    }
}

/// The SHA-256 of a token without its signature.
///
/// The same grant may be signed in more than one way (ECDSA signatures are malleable), so this,
/// and not a hash of the whole token, tells whether a token was seen before.
pub fn content_digest(token: &str) -> [u8; 32] {
    let content = token.rsplit_once('.').map_or(token, |(content, _)| content);
    sha256(content.as_bytes())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str) -> Result<(Option<String>, Option<Algorithm>), JwsFault> {
        Header::parse(json.as_bytes())
            .map(|header| (header.kid.as_deref().map(str::to_owned), header.public_algorithm()))
    }

    #[track_caller]
    fn refused(json: &str, fault: JwsFault) {
        assert_eq!(header(json), Err(fault), "{json}");
    }

    #[test]
    fn a_header_names_one_of_our_algorithms_to_the_letter() {
        for (name, algorithm) in [
            ("RS256", Algorithm::Rs256),
            ("ES256", Algorithm::Es256),
            ("EdDSA", Algorithm::EdDsa),
            ("Ed25519", Algorithm::EdDsa),
        ] {
            let text = format!(r#"{{"alg":"{name}","kid":"k"}}"#);
            assert_eq!(header(&text), Ok((Some("k".into()), Some(algorithm))));
        }
        for alg in [
            r#""none""#,
            r#""None""#,
            r#""NONE""#,
            r#""nOnE""#,
            r#""""#,
            "null",
            "1",
            r#"["RS256"]"#,
            r#""rs256""#,
            r#""RS256 ""#,
            r#"" RS256""#,
            r#""RS512""#,
            r#""PS256""#,
            r#""ES384""#,
            r#""HS384""#,
            r#""EdDSA\u0000""#,
            r#""Ed448""#,
            "{}",
            "true",
        ] {
            refused(&format!(r#"{{"alg":{alg},"kid":"k"}}"#), JwsFault::Algorithm);
        }
        refused(r#"{"kid":"k"}"#, JwsFault::Algorithm);
    }

    #[test]
    fn extensions_are_refused_whatever_their_value() {
        for member in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""crit":"b64""#,
            r#""crit":null"#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""enc":"A256GCM""#,
            r#""cty":"JWT""#,
            r#""cty":"jwt""#,
        ] {
            refused(&format!(r#"{{"alg":"ES256","kid":"k",{member}}}"#), JwsFault::Extension);
        }
    }

    #[test]
    fn a_key_id_is_a_short_string() {
        for kid in ["1", "null", r#""""#, "[]", "{}", &format!("\"{}\"", "k".repeat(257))] {
            refused(&format!(r#"{{"alg":"ES256","kid":{kid}}}"#), JwsFault::KeyId);
        }
        assert!(header(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(256))).is_ok());
    }

    #[test]
    fn a_header_is_one_strict_object() {
        for text in [
            "",
            "[]",
            "null",
            r#""x""#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"none","\u0061lg":"ES256"}"#,
            r#"{"alg":"ES256"} x"#,
            "\u{feff}{}",
            r#"{"alg":"ES256","typ":1}"#,
            r#"{"alg":"ES256","typ":null}"#,
            r#"{"alg":"ES256","cty":["JWT"]}"#,
        ] {
            refused(text, JwsFault::Header);
        }
    }

    #[test]
    fn a_token_is_three_canonical_segments() {
        for token in [
            "",
            ".",
            "..x.",
            "a",
            "a.b",
            "e30.e30.e30.e30",
            "e30=.e30.e30",
            "e30 .e30.e30",
            "e30.e30.e30\n",
            "e30.e30.e3+",
            "e30.e30.e3/",
            "e31.e30.e30.",
            "e3.e30.e30",
            "e30.e31.e30é",
            "e%30.e30.e30",
            "AB.AA.AA",
            "AA.AB.AA",
            "AA.AA.AB",
            "A.AA.AA",
        ] {
            assert_eq!(Compact::split(token).err(), Some(JwsFault::Encoding), "{token:?}");
        }
        assert!(Compact::split("e30.e30.").is_ok());
        assert!(Compact::split("..").is_ok());
    }

    #[test]
    fn a_token_has_8_kib_and_its_header_4() {
        let split = |header: usize, payload: usize| {
            let token = format!("{}.{}.", "A".repeat(header), "A".repeat(payload));
            Compact::split(&token).err()
        };
        assert_eq!(split(4096, 4092), None);
        assert_eq!(split(4096, 4096), Some(JwsFault::Oversized));
        assert_eq!(split(4, 8186), None);
        assert_eq!(split(4, 8187), Some(JwsFault::Oversized));
        assert_eq!(split(4098, 4), Some(JwsFault::Oversized));
    }

    #[test]
    fn the_content_of_a_token_is_the_same_under_another_signature() {
        assert_eq!(content_digest("a.b.c"), content_digest("a.b.d"));
        assert_ne!(content_digest("a.b.c"), content_digest("a.x.c"));
    }
}
