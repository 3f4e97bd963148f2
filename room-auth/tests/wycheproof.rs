//! Project Wycheproof: its JWS from the vector folder, its raw signatures always.
//!
//! The bar is nought: not one of 475 hostile JWS is accepted. What is valid and refused is named
//! and counted, so that a verifier that refuses everything does not pass.

#[path = "support/vectors.rs"]
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use room_auth::KeySet;
use room_auth::jwks::{Key, KeyFault};
use room_auth::jws;
use serde_json::{Value, json};
use wycheproof::TestResult;

/// What became of one file of JWS.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    tokens: usize,
    accepted: usize,
    wrongly_accepted: Vec<String>,
    /// Valid ones that were refused, for a reason that is a rule of ours.
    outside_our_rules: usize,
    wrongly_refused: Vec<String>,
}

/// Whether the signature verifies under the key or key set.
fn verifies(key: &Value, token: &str) -> bool {
    let text = key.to_string().into_bytes();
    if key.get("keys").is_some() {
        KeySet::parse(&text).is_ok_and(|parsed| jws::verify(token, &parsed.keys).is_ok())
    } else {
        Key::from_jwk(&text).is_ok_and(|key| jws::verify_with(token, &key).is_ok())
    }
}

fn score(document: &Value, verifies: impl Fn(&Value, &str) -> bool) -> Score {
    let mut score = Score::default();
    for group in document["testGroups"].as_array().expect("groups") {
        let given = group.get("public").or_else(|| group.get("private")).expect("a key");
        let key = vectors::public_half(given);
        for test in group["tests"].as_array().expect("tests") {
            let Some(token) = test["jws"].as_str() else { continue };
            let name = format!("{} #{} {}", group["comment"], test["tcId"], test["comment"]);
            score.tokens += 1;
            match (verifies(&key, token), test["result"] == "valid") {
                (true, true) => score.accepted += 1,
                (true, false) => score.wrongly_accepted.push(name),
                (false, true) if has_algorithm_of_ours(&key) => score.wrongly_refused.push(name),
                (false, true) => score.outside_our_rules += 1,
                (false, false) => {}
            }
        }
    }
    score
}

fn has_algorithm_of_ours(key: &Value) -> bool {
    let keys = key["keys"].as_array().map_or(std::slice::from_ref(key), Vec::as_slice);
    keys.iter().any(|key| {
        key["alg"].as_str().is_some_and(|alg| matches!(alg, "RS256" | "ES256" | "EdDSA"))
    })
}

#[track_caller]
fn check(file: &str, tokens: usize, accepted: usize, outside_our_rules: usize) {
    let Some(folder) = vectors::folder(file) else { return };
    let document = vectors::read(&folder, file);
    let expected = Score { tokens, accepted, outside_our_rules, ..Score::default() };
    assert_eq!(score(&document, verifies), expected);
    // The control: a verifier that accepts everything is caught with every hostile token.
    let lax = score(&document, |_, _| true);
    assert_eq!(lax.wrongly_accepted.len(), tokens - accepted - outside_our_rules);
    let mute = score(&document, |_, _| false);
    assert_eq!(mute.wrongly_refused.len(), accepted);
}

#[test]
fn json_web_signatures() {
    check("wycheproof/json_web_signature_test.json", 401, 10, 36);
}

#[test]
fn json_web_keys() {
    check("wycheproof/json_web_key_test.json", 26, 1, 4);
}

#[test]
fn json_web_crypto() {
    check("wycheproof/json_web_crypto_test.json", 48, 2, 2);
}

/// One raw signature: a JWK, the message, the signature, and whether it verifies.
struct Raw<'r> {
    name: String,
    jwk: Value,
    message: &'r [u8],
    signature: &'r [u8],
    result: TestResult,
}

/// Of the raw signatures: how many there are, how many verify, and how many valid ones stand under
/// a key with exponent 3, which is outside our rules.
#[track_caller]
fn check_raw<'r>(cases: impl Iterator<Item = Raw<'r>>) -> (usize, usize, usize) {
    let (mut seen, mut verified, mut outside_our_rules, mut faults) = (0, 0, 0, Vec::new());
    for case in cases {
        seen += 1;
        let key = Key::from_jwk(case.jwk.to_string().as_bytes());
        let passes = key.as_ref().is_ok_and(|key| key.verify(case.message, case.signature));
        verified += usize::from(passes);
        // "Acceptable" is what a lenient reader may take. Ours is not one.
        match (passes, case.result == TestResult::Valid) {
            (false, true) if matches!(key, Err(KeyFault::Exponent)) => outside_our_rules += 1,
            (ours, theirs) if ours == theirs => {}
            _ => faults.push(format!("{} ({:?}): {passes}", case.name, case.result)),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    (seen, verified, outside_our_rules)
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A number as JWK has it, without leading zeros.
fn number(bytes: &[u8]) -> String {
    encode(significant(bytes))
}

/// A coordinate of P-256 as JWK has it: 32 bytes.
fn coordinate(bytes: &[u8]) -> String {
    let digits = significant(bytes);
    let mut fixed = vec![0; 32_usize.saturating_sub(digits.len())];
    fixed.extend(digits);
    encode(&fixed)
}

fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros..]
}

#[test]
fn raw_ed25519_signatures() {
    use wycheproof::eddsa::{TestName, TestSet};
    let set = TestSet::load(TestName::Ed25519).expect("the crate carries it");
    let cases = set.test_groups.iter().flat_map(|group| {
        group.tests.iter().map(|test| Raw {
            name: format!("ed25519 #{}", test.tc_id),
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)}),
            message: &test.msg,
            signature: &test.sig,
            result: test.result,
        })
    });
    assert_eq!(check_raw(cases), (151, 88, 0));
}

#[test]
fn raw_p256_signatures() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).expect("the crate carries it");
    let cases = set.test_groups.iter().flat_map(|group| {
        group.tests.iter().map(|test| Raw {
            name: format!("p256 #{}", test.tc_id),
            jwk: json!({
                "kty": "EC", "crv": "P-256",
                "x": coordinate(&group.key.affine_x), "y": coordinate(&group.key.affine_y),
            }),
            message: &test.msg,
            signature: &test.sig,
            result: test.result,
        })
    });
    assert_eq!(check_raw(cases), (262, 173, 0));
}

#[test]
fn raw_rsa_signatures() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let sizes = [
        (TestName::Rsa2048Sha256, (259, 7, 2)),
        (TestName::Rsa3072Sha256, (259, 7, 1)),
        (TestName::Rsa4096Sha256, (258, 7, 0)),
        (TestName::Rsa8192Sha256, (258, 7, 0)),
    ];
    for (name, expected) in sizes {
        let set = TestSet::load(name).expect("the crate carries it");
        let cases = set.test_groups.iter().flat_map(|group| {
            group.tests.iter().map(move |test| Raw {
                name: format!("{name:?} #{}", test.tc_id),
                jwk: json!({"kty": "RSA", "n": number(&group.key.n), "e": number(&group.key.e)}),
                message: &test.msg,
                signature: &test.sig,
                result: test.result,
            })
        });
        assert_eq!(check_raw(cases), expected, "{name:?}");
    }
}

/// The same three families as the folder has them, which may be newer than the crate.
#[test]
fn raw_signatures_of_the_folder() {
    let Some(folder) = vectors::folder("wycheproof raw signatures") else { return };
    for (file, expected) in [
        ("wycheproof/ed25519_test.json", (151, 88, 0)),
        ("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", (262, 173, 0)),
        ("wycheproof/rsa_signature_2048_sha256_test.json", (259, 7, 2)),
    ] {
        let document = vectors::read(&folder, file);
        let decoded: Vec<_> = document["testGroups"]
            .as_array()
            .expect("groups")
            .iter()
            .flat_map(|group| {
                let tests = group["tests"].as_array().expect("tests").iter();
                tests.map(|test| {
                    (jwk_of(&group["publicKey"]), test, hex(&test["msg"]), hex(&test["sig"]))
                })
            })
            .collect();
        let cases = decoded.iter().map(|(jwk, test, message, signature)| Raw {
            name: format!("{file} #{}", test["tcId"]),
            jwk: jwk.clone(),
            message,
            signature,
            result: match test["result"].as_str() {
                Some("valid") => TestResult::Valid,
                Some("acceptable") => TestResult::Acceptable,
                _ => TestResult::Invalid,
            },
        });
        assert_eq!(check_raw(cases), expected, "{file}");
    }
}

/// The JWK of a group's key; not every group carries one.
fn jwk_of(key: &Value) -> Value {
    let bytes = |name: &str| hex(&key[name]);
    match key["type"].as_str() {
        Some("EDDSAPublicKey") => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&bytes("pk"))})
        }
        Some("EcPublicKey") => json!({
            "kty": "EC", "crv": "P-256", "x": coordinate(&bytes("wx")), "y": coordinate(&bytes("wy")),
        }),
        _ => {
            json!({"kty": "RSA", "n": number(&bytes("modulus")), "e": number(&bytes("publicExponent"))})
        }
    }
}

fn hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().expect("hex").as_bytes();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hex")
        })
        .collect()
}
