//! How a key is sealed: AES-256-GCM under a key that is derived anew for each (HKDF-SHA-256, RFC
//! 5869), so that no nonce is ever used twice with one key. What it belongs to is authenticated
//! with it. Pure but for the random salt.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use secrecy::{ExposeSecret, SecretString};

/// The first byte of what is sealed in this way.
const VERSION: u8 = 1;
/// Names the secret, to tell a wrong one from a damaged row.
const ID_BYTES: usize = 8;
const SALT_BYTES: usize = 32;
const HEAD_BYTES: usize = 1 + ID_BYTES + SALT_BYTES;

/// What a sealed key belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The kind of key.
    pub kind: &'a str,
    /// Whose Room it is.
    pub owner: &'a str,
}

impl Place<'_> {
    /// Each part with its length, so that no two places read the same.
    fn authenticated(&self) -> Vec<u8> {
        let parts = ["room provider key", self.provider, self.kind, self.owner];
        parts
            .iter()
            .flat_map(|part| [&(part.len() as u64).to_be_bytes(), part.as_bytes()].concat())
            .collect()
    }
}

/// A key that was opened.
pub struct Opened {
    /// The key.
    pub secret: SecretString,
    /// Whether the first secret had sealed it.
    pub is_current: bool,
}

/// Seals with the first of one or two secrets, opens with both.
#[derive(Clone)]
pub struct Sealer {
    secrets: Vec<SecretString>,
}

impl std::fmt::Debug for Sealer {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("secrets", &self.secrets.len()).finish()
    }
}

impl Sealer {
    /// None without a secret.
    pub fn new(secrets: &[SecretString]) -> Option<Self> {
        (!secrets.is_empty()).then(|| Self { secrets: secrets.to_vec() })
    }

    /// Seals a text.
    pub fn seal(&self, place: &Place<'_>, text: &str) -> Vec<u8> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).expect("a machine without random numbers keeps no secret");
        let secret = &self.secrets[0];
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(place.authenticated());
        key(secret, &salt)
            .seal_in_place_append_tag(zero(), aad, &mut sealed)
            .expect("a key is far shorter than what AES-GCM can seal");
        [&[VERSION][..], &id(secret), &salt, &sealed].concat()
    }

    /// Opens what either secret has sealed for this very place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Option<Opened> {
        let (head, body) = sealed.split_at_checked(HEAD_BYTES)?;
        let (named, salt) = head.strip_prefix(&[VERSION])?.split_at_checked(ID_BYTES)?;
        let place_of = |secret: &SecretString| id(secret) == named;
        let index = self.secrets.iter().position(place_of)?;
        let mut body = body.to_vec();
        let aad = Aad::from(place.authenticated());
        let text = key(&self.secrets[index], salt).open_in_place(zero(), aad, &mut body).ok()?;
        let text = std::str::from_utf8(text).ok()?;
        Some(Opened { secret: text.into(), is_current: index == 0 })
    }
}

/// The only nonce: each key is used once.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn key(secret: &SecretString, salt: &[u8]) -> LessSafeKey {
    let mut bytes = [0; 32];
    derive(secret, salt, b"room sealed provider key", &mut bytes);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes are its length"))
}

fn id(secret: &SecretString) -> [u8; ID_BYTES] {
    let mut bytes = [0; 32];
    derive(secret, &[], b"room encryption key id", &mut bytes);
    std::array::from_fn(|place| bytes[place])
}

fn derive(secret: &SecretString, salt: &[u8], info: &[u8], key: &mut [u8; 32]) {
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret.expose_secret().as_bytes());
    let info = [info];
    let expanded = extracted.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(key));
    expanded.expect("32 bytes are what SHA-256 gives");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { provider: "claude", kind: "api_key", owner: "i-1" };

    fn sealer(secrets: &[&str]) -> Sealer {
        let secrets: Vec<SecretString> = secrets.iter().map(|&text| text.into()).collect();
        Sealer::new(&secrets).unwrap()
    }

    fn open(with: &Sealer, place: &Place<'_>, sealed: &[u8]) -> Option<(String, bool)> {
        let opened = with.open(place, sealed)?;
        Some((opened.secret.expose_secret().to_owned(), opened.is_current))
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_with_its_secret_alone() {
        let (one, two, both) = (sealer(&["one"]), sealer(&["two"]), sealer(&["two", "one"]));
        let sealed = one.seal(&PLACE, "sk-ant-x");
        assert_eq!(open(&one, &PLACE, &sealed), Some(("sk-ant-x".to_owned(), true)));
        assert_eq!(open(&both, &PLACE, &sealed), Some(("sk-ant-x".to_owned(), false)));
        assert_eq!(open(&two, &PLACE, &sealed), None);
        for place in [
            Place { provider: "codex", ..PLACE },
            Place { kind: "token", ..PLACE },
            Place { owner: "i-2", ..PLACE },
            Place { provider: "claudeapi", kind: "_key", ..PLACE },
        ] {
            assert_eq!(open(&one, &place, &sealed), None, "{place:?}");
        }
    }

    #[test]
    fn every_changed_byte_is_noticed_and_no_cut_panics() {
        let one = sealer(&["one"]);
        let sealed = one.seal(&PLACE, "k");
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert_eq!(open(&one, &PLACE, &other), None, "byte {place}");
            assert_eq!(open(&one, &PLACE, &sealed[..place]), None, "cut at {place}");
        }
    }

    #[test]
    fn the_same_key_is_never_sealed_the_same_way() {
        let one = sealer(&["one"]);
        assert_ne!(one.seal(&PLACE, "k"), one.seal(&PLACE, "k"));
        assert_eq!(format!("{one:?}"), "Sealer { secrets: 1 }");
    }
}
