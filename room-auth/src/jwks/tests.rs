//! Key sets as issuers should and should not publish them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use super::*;
use crate::issuer;
use crate::jws::Algorithm;

fn jwk(algorithm: Algorithm) -> Value {
    issuer::any_key(algorithm).with_kid("k").public_jwk()
}

fn set(keys: &[Value]) -> Result<ParsedKeySet, KeySetFault> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

#[track_caller]
fn refused(jwk: &Value, fault: KeyFault) {
    let error = Key::from_jwk(jwk.to_string().as_bytes()).err();
    assert_eq!(error, Some(fault), "{jwk}");
    // The same entry among good ones is left out on its own.
    let mut good = self::jwk(Algorithm::EdDsa);
    good["kid"] = "good".into();
    let parsed = set(&[jwk.clone(), good]).unwrap();
    assert_eq!(parsed.keys.len(), 1);
    assert_eq!(parsed.left_out.len(), 1);
    assert_eq!((parsed.left_out[0].index, parsed.left_out[0].fault), (0, fault));
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[test]
fn good_keys_are_taken_with_and_without_hints() {
    for algorithm in Algorithm::ALL {
        let full = jwk(algorithm);
        let bare = without(without(full.clone(), "alg"), "use");
        for entry in
            [full.clone(), bare.clone(), with(bare, "key_ops", json!(["verify", "encrypt"]))]
        {
            let entry = with(entry, "x5c", json!(["ignored"]));
            let key = Key::from_jwk(entry.to_string().as_bytes()).unwrap();
            assert_eq!((key.algorithm(), key.kid()), (algorithm, Some("k")));
        }
    }
    let named = with(jwk(Algorithm::EdDsa), "alg", "Ed25519");
    assert!(Key::from_jwk(named.to_string().as_bytes()).is_ok());
}

#[test]
fn secret_material_in_public_is_refused_and_alarming() {
    let oct = json!({ "kty": "oct", "k": B64.encode([7; 32]), "kid": "k", "alg": "HS256" });
    refused(&oct, KeyFault::Symmetric);
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for algorithm in Algorithm::ALL {
            refused(&with(jwk(algorithm), member, "AQAB"), KeyFault::PrivateMaterial);
        }
    }
    refused(&with(jwk(Algorithm::EdDsa), "d", Value::Null), KeyFault::PrivateMaterial);
    assert!(KeyFault::Symmetric.is_alarming() && KeyFault::PrivateMaterial.is_alarming());
    assert!(!KeyFault::NotForSignatures.is_alarming());
}

#[test]
fn a_key_for_another_purpose_is_refused() {
    for algorithm in Algorithm::ALL {
        for purpose in ["enc", "tls", "", "SIG", "sig "] {
            refused(&with(jwk(algorithm), "use", purpose), KeyFault::NotForSignatures);
        }
        for operations in [json!([]), json!(["sign"]), json!(["encrypt", "VERIFY"])] {
            refused(&with(jwk(algorithm), "key_ops", operations), KeyFault::NotForSignatures);
        }
        for operations in [json!("verify"), json!({ "verify": 1 }), json!([1, "verify"])] {
            refused(&with(jwk(algorithm), "key_ops", operations), KeyFault::Malformed);
        }
        refused(&with(jwk(algorithm), "use", 1), KeyFault::Malformed);
    }
}

#[test]
fn algorithm_type_and_curve_agree() {
    for (algorithm, other) in [
        (Algorithm::Rs256, "ES256"),
        (Algorithm::Rs256, "EdDSA"),
        (Algorithm::Es256, "RS256"),
        (Algorithm::Es256, "EdDSA"),
        (Algorithm::EdDsa, "ES256"),
    ] {
        refused(&with(jwk(algorithm), "alg", other), KeyFault::Contradiction);
    }
    for other in ["RS512", "PS256", "ES384", "HS256", "none", "RSA-OAEP", "", "rs256"] {
        refused(&with(jwk(Algorithm::Rs256), "alg", other), KeyFault::Unsupported);
    }
    refused(&with(jwk(Algorithm::Es256), "crv", "P-384"), KeyFault::Contradiction);
    refused(&with(jwk(Algorithm::EdDsa), "crv", "X25519"), KeyFault::Contradiction);
    refused(&with(jwk(Algorithm::Es256), "kty", "RSA"), KeyFault::Contradiction);
    let bare = |algorithm| without(jwk(algorithm), "alg");
    refused(&with(bare(Algorithm::Es256), "crv", "P-521"), KeyFault::Unsupported);
    refused(&with(bare(Algorithm::EdDsa), "crv", "Ed448"), KeyFault::Unsupported);
    refused(&with(bare(Algorithm::Es256), "kty", "AKP"), KeyFault::Unsupported);
    refused(&without(bare(Algorithm::Es256), "crv"), KeyFault::Unsupported);
}

#[test]
fn a_malformed_entry_is_refused() {
    for entry in [json!(null), json!("x"), json!([]), json!({}), json!({ "kty": 1 })] {
        refused(&entry, KeyFault::Malformed);
    }
    for (algorithm, name) in [
        (Algorithm::Rs256, "n"),
        (Algorithm::Rs256, "e"),
        (Algorithm::Es256, "x"),
        (Algorithm::Es256, "y"),
        (Algorithm::EdDsa, "x"),
    ] {
        refused(&without(jwk(algorithm), name), KeyFault::Malformed);
        for value in [json!(1), json!(null), json!("AQAB="), json!("A+/A"), json!("A QAB")] {
            refused(&with(jwk(algorithm), name, value), KeyFault::Malformed);
        }
    }
    for kid in [json!(1), json!(null), json!(["k"])] {
        refused(&with(jwk(Algorithm::EdDsa), "kid", kid), KeyFault::Malformed);
    }
    refused(&with(jwk(Algorithm::EdDsa), "kid", ""), KeyFault::NoKeyId);
    refused(&with(jwk(Algorithm::EdDsa), "kid", "k".repeat(257)), KeyFault::NoKeyId);
}

#[test]
fn an_entry_without_an_id_is_a_key_but_of_no_use_in_a_set() {
    let entry = without(jwk(Algorithm::EdDsa), "kid");
    assert!(Key::from_jwk(entry.to_string().as_bytes()).is_ok());
    let Err(KeySetFault::NoUsableKey(left_out)) = set(&[entry]) else { panic!("no usable key") };
    assert_eq!(left_out[0].fault, KeyFault::NoKeyId);
}

fn rsa_with(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "kid": "k", "n": B64.encode(modulus), "e": B64.encode(exponent) })
}

fn modulus() -> Vec<u8> {
    B64.decode(jwk(Algorithm::Rs256)["n"].as_str().unwrap()).unwrap()
}

#[test]
fn an_rsa_key_has_a_sound_size_and_exponent() {
    let n = modulus();
    let e = [1, 0, 1];
    assert!(Key::from_jwk(rsa_with(&n, &e).to_string().as_bytes()).is_ok());
    let mut short = n[128..].to_vec();
    short[0] |= 0x80;
    let mut bit_short = n.clone();
    bit_short[0] &= 0x7f;
    let mut even = n.clone();
    even[255] &= 0xfe;
    let long = [&[1], n.as_slice(), &n, &n, &n].concat();
    for modulus in [short, bit_short, even, long, n.repeat(16), vec![0xff; 256]] {
        refused(&rsa_with(&modulus, &e), KeyFault::Modulus);
    }
    for exponent in
        [&[1][..], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &[1; 9], &[0xff; 256]]
    {
        refused(&rsa_with(&n, exponent), KeyFault::Exponent);
    }
    // Odd and large: what the library makes of such a one is its own business.
    let large = Key::from_jwk(rsa_with(&n, &[1, 0, 0, 0, 0, 0, 0, 1]).to_string().as_bytes());
    assert_ne!(large.err(), Some(KeyFault::Exponent));
    refused(&rsa_with(&[&[0], n.as_slice()].concat(), &e), KeyFault::Malformed);
    refused(&rsa_with(&n, &[0, 1, 0, 1]), KeyFault::Malformed);
    refused(&rsa_with(&[], &e), KeyFault::Malformed);
}

/// `product · 2^shift + 1`, where the product is that of all the small primes: it is 1, a power of
/// 65537, modulo each of them.
#[test]
fn a_roca_modulus_is_refused() {
    let mut product = vec![1_u8];
    for prime in [
        3_u32, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
        89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ] {
        let mut carry = 0;
        for byte in product.iter_mut().rev() {
            let value = u32::from(*byte) * prime + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        if carry > 0 {
            product.insert(0, u8::try_from(carry).unwrap());
        }
    }
    let missing_bits = product[0].leading_zeros();
    for _ in 0..missing_bits {
        let mut carry = 0;
        for byte in product.iter_mut().rev() {
            (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
        }
    }
    product.resize(255, 0);
    product.push(1);
    refused(&rsa_with(&product, &[1, 0, 1]), KeyFault::Roca);
}

#[test]
fn a_point_lies_on_its_curve() {
    let entry = jwk(Algorithm::Es256);
    let x = B64.decode(entry["x"].as_str().unwrap()).unwrap();
    let mut off = x.clone();
    off[31] ^= 1;
    for coordinate in
        [&off[..], &x[..31], &[&[0], x.as_slice()].concat(), &[0; 32], &[0xff; 32], &[]]
    {
        refused(&with(entry.clone(), "x", B64.encode(coordinate)), KeyFault::NotOnCurve);
    }
    let zero = with(with(entry, "x", B64.encode([0; 32])), "y", B64.encode([0; 32]));
    refused(&zero, KeyFault::NotOnCurve);
}

#[test]
fn an_ed25519_key_has_large_order() {
    let entry = jwk(Algorithm::EdDsa);
    let key = |bytes: &[u8]| with(entry.clone(), "x", B64.encode(bytes));
    for length in [0, 31, 33, 64] {
        refused(&key(&vec![9; length]), KeyFault::NotOnCurve);
    }
    let hex = |text: &str| -> Vec<u8> {
        (0..32).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
    };
    for small in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut bytes = hex(small);
        refused(&key(&bytes), KeyFault::SmallOrder);
        bytes[31] |= 0x80;
        refused(&key(&bytes), KeyFault::SmallOrder);
    }
    // What only looks like one of these in a part of its bytes is a key like any other.
    let alike = |first, middle, last| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        Key::from_jwk(key(&bytes).to_string().as_bytes()).err()
    };
    for (first, middle, last) in [
        (0xff, 0x11, 0x7f),
        (0xff, 0xff, 0x7e),
        (0xeb, 0xff, 0x7f),
        (0xed, 0xff, 0x00),
        (0x02, 0x00, 0x00),
        (0x01, 0x01, 0x00),
    ] {
        assert_ne!(alike(first, middle, last), Some(KeyFault::SmallOrder), "{first:x} {last:x}");
    }
}

#[test]
fn an_id_that_two_entries_share_is_nobodys() {
    let (one, two) = (jwk(Algorithm::Es256), jwk(Algorithm::EdDsa));
    let mut third = jwk(Algorithm::Rs256);
    third["kid"] = "other".into();
    let parsed = set(&[one.clone(), two.clone(), third]).unwrap();
    assert_eq!(parsed.keys.len(), 1);
    assert!(matches!(parsed.keys.find("k"), Some(Slot::Ambiguous)));
    assert_eq!(parsed.left_out[0].fault, KeyFault::DuplicateKeyId);
    assert_eq!(parsed.left_out[0].kid.as_deref(), Some("k"));
    for odd in [String::new(), "k".repeat(257)] {
        let parsed = set(&[with(jwk(Algorithm::EdDsa), "kid", odd), jwk(Algorithm::Es256)]);
        assert_eq!(parsed.unwrap().left_out[0].kid, None, "of no use in a log either");
    }
    assert!(matches!(
        set(&[one.clone(), two.clone(), one.clone()]),
        Err(KeySetFault::NoUsableKey(_))
    ));
    // Were it the very same key twice: a set that repeats itself was not made with care.
    let twice = set(&[one.clone(), one.clone()]).unwrap_err();
    let KeySetFault::NoUsableKey(left_out) = twice else { panic!("{twice:?}") };
    assert_eq!(left_out[0].fault, KeyFault::DuplicateKeyId);
    // An entry that is not used anyway shares nothing.
    let parsed = set(&[one.clone(), with(two, "use", "enc")]).unwrap();
    assert_eq!(parsed.keys.len(), 1);
}

#[test]
fn a_document_is_bounded_and_strict() {
    let key = jwk(Algorithm::EdDsa);
    let parse = |text: &str| KeySet::parse(text.as_bytes()).err();
    for text in ["", "<html>", "null", "[]", "\u{feff}{\"keys\":[]}", r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(parse(text), Some(KeySetFault::NotJson), "{text}");
    }
    for text in ["{}", r#"{"keys":{}}"#, r#"{"keys":"x"}"#, r#"{"keys":null}"#] {
        assert_eq!(parse(text), Some(KeySetFault::NoKeysArray), "{text}");
    }
    assert_eq!(parse(r#"{"keys":[]}"#), Some(KeySetFault::NoUsableKey(Vec::new())));
    let padded = |length: usize| {
        let document = json!({ "keys": [key] }).to_string();
        let space = " ".repeat(length - document.len());
        KeySet::parse((document + &space).as_bytes()).map(|parsed| parsed.keys.len())
    };
    assert_eq!(padded(256 * 1024), Ok(1));
    assert_eq!(padded(256 * 1024 + 1), Err(KeySetFault::Oversized));
    let many = |count: usize| {
        let keys: Vec<_> = (0..count).map(|n| with(key.clone(), "kid", n.to_string())).collect();
        set(&keys).map(|parsed| parsed.keys.len())
    };
    assert_eq!(many(MAX_KEYS), Ok(MAX_KEYS));
    assert_eq!(many(MAX_KEYS + 1), Err(KeySetFault::TooManyKeys));
    let parsed = KeySet::parse(json!({ "keys": [key], "x": {} }).to_string().as_bytes());
    assert!(parsed.is_ok());
}

/// RFC 7638, section 3.1, and RFC 8037, appendix A.3.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let okp = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for (jwk, thumbprint) in [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (okp, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        let key = Key::from_jwk(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(key.thumbprint().to_string(), thumbprint);
        assert_eq!(Thumbprint::parse(thumbprint), Some(key.thumbprint()));
    }
    assert_eq!(Thumbprint::parse("AQAB"), None);
}
