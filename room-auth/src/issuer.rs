//! The other side: keys, key sets and tokens of an issuer (feature `issuer`).
//!
//! A control plane that speaks Rust can use it as it stands; tests and demonstrations do. Rotation
//! has three steps, so that no verifier ever meets a token before its key: [`Issuer::announce`] a
//! key, [`Issuer::activate`] it once every verifier has had time to fetch it, [`Issuer::retire`]
//! the old one when its last token has expired.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::identity::{Role, Standing};
use crate::jwks::{Key, KeySet, ParsedKeySet};
use crate::jws::Algorithm;

/// A key cannot be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The cryptographic library could not make a key or a signature.
    #[error("the cryptographic library failed")]
    Crypto,
    /// The bytes are no PKCS #8 private key of this algorithm.
    #[error("not a private key of this algorithm")]
    PrivateKey,
    /// The key fails the checks that every verifier makes.
    #[error("the key is not fit to verify tokens")]
    Unfit,
    /// The issuer has no key of that id.
    #[error("no key has this id")]
    UnknownKey,
    /// The key signs now; activate another one first.
    #[error("the key is in use")]
    InUse,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key and the id it is published under: its own thumbprint unless another is set.
pub struct IssuerKey {
    pair: Pair,
    algorithm: Algorithm,
    kid: String,
    public: Map<String, Value>,
}

impl IssuerKey {
    /// Makes a key: RSA of 2048 bits, P-256 or Ed25519.
    ///
    /// # Errors
    /// [`IssuerError::Crypto`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, IssuerError> {
        let pair = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Box::new).map(Pair::Rsa),
            Algorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa)
            }
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        Self::new(pair.map_err(|_| IssuerError::Crypto)?)
    }

    /// Reads a private key in PKCS #8 form.
    ///
    /// # Errors
    /// It is none, or its public half fails the checks of [`Key`].
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, IssuerError> {
        let pair = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Box::new).map(Pair::Rsa),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::Ecdsa)
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Pair::Ed25519),
        };
        Self::new(pair.map_err(|_| IssuerError::PrivateKey)?)
    }

    /// The private key in PKCS #8 form, for a safe place.
    ///
    /// # Errors
    /// [`IssuerError::Crypto`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, IssuerError> {
        let bytes = |der: &[u8]| Zeroizing::new(der.to_vec());
        match &self.pair {
            Pair::Rsa(pair) => pair.as_der().map(|der| bytes(der.as_ref())),
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| bytes(der.as_ref())),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|der| bytes(der.as_ref())),
        }
        .map_err(|_| IssuerError::Crypto)
    }

    /// Publishes the key under another id.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into();
        self
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JSON Web Key with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk.insert("kid".into(), self.kid.as_str().into());
        jwk.insert("alg".into(), self.algorithm.as_str().into());
        jwk.insert("use".into(), "sig".into());
        Value::Object(jwk)
    }

    /// A compact token of a header and a payload as given, whatever they say.
    ///
    /// # Errors
    /// [`IssuerError::Crypto`].
    pub fn sign(
        &self,
        header: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> Result<String, IssuerError> {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The signature over bytes, in the form that RFC 7518 gives it.
    ///
    /// # Errors
    /// [`IssuerError::Crypto`].
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, IssuerError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).map(|made| made.as_ref().to_vec()),
            Pair::Ed25519(pair) => pair.try_sign(message).map(|made| made.as_ref().to_vec()),
        }
        .map_err(|_| IssuerError::Crypto)
    }

    fn new(pair: Pair) -> Result<Self, IssuerError> {
        let text = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let (algorithm, public) = match &pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                let (n, e) =
                    (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                (Algorithm::Rs256, json!({ "kty": "RSA", "n": text(n), "e": text(e) }))
            }
            Pair::Ecdsa(pair) => {
                // SEC 1, uncompressed: 4, x, y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let jwk = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) });
                (Algorithm::Es256, jwk)
            }
            Pair::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                (Algorithm::EdDsa, json!({ "kty": "OKP", "crv": "Ed25519", "x": x }))
            }
        };
        let checked =
            Key::from_jwk(public.to_string().as_bytes()).map_err(|_| IssuerError::Unfit)?;
        let Value::Object(public) = public else { return Err(IssuerError::Unfit) };
        Ok(Self { pair, algorithm, kid: checked.thumbprint().to_string(), public })
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// What a Room token says.
#[derive(Debug, Clone)]
pub struct Grant {
    subject: String,
    standing: Standing,
    lifetime: Duration,
    token_id: Option<String>,
    further: Map<String, Value>,
}

/// How long a token lives unless told otherwise. Short: a verifier hears of a removed member from
/// the next token at the latest.
pub const DEFAULT_LIFETIME: Duration = Duration::from_mins(10);

impl Grant {
    /// For a person.
    pub fn person(subject: impl Into<String>, role: Role) -> Self {
        Self::new(subject.into(), Standing::Person(role))
    }

    /// For a program of the control plane.
    pub fn service(subject: impl Into<String>) -> Self {
        Self::new(subject.into(), Standing::Service)
    }

    fn new(subject: String, standing: Standing) -> Self {
        let (lifetime, further) = (DEFAULT_LIFETIME, Map::new());
        Self { subject, standing, lifetime, token_id: None, further }
    }

    /// How long it lives from now.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Its `jti` instead of a random one.
    #[must_use]
    pub fn token_id(mut self, id: impl Into<String>) -> Self {
        self.token_id = Some(id.into());
        self
    }

    /// A further claim (`email`, `email_verified`, `name`, `sid`), or another value for a claim
    /// that is written anyway.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.further.insert(name.into(), value.into());
        self
    }
}

/// An issuer of Room tokens: a name, an audience, and its keys.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    audience: String,
    active: IssuerKey,
    /// Published, but not signing: announced ones, and old ones whose tokens still live.
    others: Vec<IssuerKey>,
}

impl Issuer {
    /// An issuer that signs with `key` for [`DEFAULT_AUDIENCE`](crate::issuers::DEFAULT_AUDIENCE).
    pub fn new(name: impl Into<String>, key: IssuerKey) -> Self {
        let audience = crate::issuers::DEFAULT_AUDIENCE.to_owned();
        Self { name: name.into(), audience, active: key, others: Vec::new() }
    }

    /// Writes another audience.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Its `iss`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that signs now.
    pub fn key(&self) -> &IssuerKey {
        &self.active
    }

    /// Publishes a key that does not sign yet.
    pub fn announce(&mut self, key: IssuerKey) {
        self.others.push(key);
    }

    /// Signs with a published key from now on; the one before stays published.
    ///
    /// # Errors
    /// No key has this id.
    pub fn activate(&mut self, kid: &str) -> Result<(), IssuerError> {
        if self.active.kid == kid {
            return Ok(());
        }
        let at = self.others.iter().position(|key| key.kid == kid);
        let next = self.others.swap_remove(at.ok_or(IssuerError::UnknownKey)?);
        let before = std::mem::replace(&mut self.active, next);
        self.others.push(before);
        Ok(())
    }

    /// Withdraws a key: verifiers refuse its tokens from their next refresh on.
    ///
    /// # Errors
    /// No key has this id, or it signs now.
    pub fn retire(&mut self, kid: &str) -> Result<IssuerKey, IssuerError> {
        if self.active.kid == kid {
            return Err(IssuerError::InUse);
        }
        let at = self.others.iter().position(|key| key.kid == kid);
        Ok(self.others.swap_remove(at.ok_or(IssuerError::UnknownKey)?))
    }

    /// The key set document to publish.
    pub fn jwks(&self) -> String {
        let keys: Vec<_> =
            std::iter::once(&self.active).chain(&self.others).map(IssuerKey::public_jwk).collect();
        json!({ "keys": keys }).to_string()
    }

    /// The published keys, as a verifier sees them.
    ///
    /// # Errors
    /// Two keys share an id, or there are too many.
    pub fn key_set(&self) -> Result<KeySet, IssuerError> {
        match KeySet::parse(self.jwks().as_bytes()) {
            Ok(ParsedKeySet { keys, left_out }) if left_out.is_empty() => Ok(keys),
            _ => Err(IssuerError::Unfit),
        }
    }

    /// Makes a token for one instance.
    ///
    /// # Errors
    /// [`IssuerError::Crypto`].
    pub fn mint(
        &self,
        instance: &str,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<String, IssuerError> {
        let issued_at =
            now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| IssuerError::Crypto)?.as_secs();
        let token_id = match &grant.token_id {
            Some(id) => id.clone(),
            None => random_id()?,
        };
        let role = match grant.standing {
            Standing::Person(role) => role.as_str(),
            Standing::Service => "control",
        };
        let mut claims = json!({
            "iss": self.name,
            "aud": self.audience,
            "sub": grant.subject,
            "instanceId": instance,
            "role": role,
            "iat": issued_at,
            "exp": issued_at + grant.lifetime.as_secs(),
            "jti": token_id,
        });
        if let Value::Object(claims) = &mut claims {
            claims.extend(grant.further.clone());
        }
        let header = json!({
            "alg": self.active.algorithm.as_str(),
            "kid": self.active.kid,
            "typ": "JWT",
        });
        self.active.sign(header.to_string(), claims.to_string())
    }
}

/// 128 random bits: enough that no two tokens ever share one.
fn random_id() -> Result<String, IssuerError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IssuerError::Crypto)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The same key for all tests that need any one: an RSA key takes a tenth of a second to make.
#[cfg(test)]
pub(crate) fn any_key(algorithm: Algorithm) -> IssuerKey {
    static RSA: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        IssuerKey::generate(Algorithm::Rs256).unwrap().to_pkcs8().unwrap().to_vec()
    });
    match algorithm {
        Algorithm::Rs256 => IssuerKey::from_pkcs8(algorithm, &RSA).unwrap(),
        Algorithm::Es256 | Algorithm::EdDsa => IssuerKey::generate(algorithm).unwrap(),
    }
}
