//! The examples of the RFCs themselves: JWS (7515 appendix A, 7520), Ed25519 (8037), unencoded
//! payloads (7797), thumbprints (7638), read from the vector folder.

#[path = "support/vectors.rs"]
mod vectors;

use room_auth::jwks::Key;
use room_auth::jws::{self, JwsFault};
use serde_json::Value;

/// The key of an example, if it is one that we would use at all.
fn key(jwk: &Value) -> Option<Key> {
    Key::from_jwk(vectors::public_half(jwk).to_string().as_bytes()).ok()
}

#[test]
fn rfc_7515_appendix_a() {
    let Some(folder) = vectors::folder("RFC 7515 appendix A") else { return };
    let examples = vectors::read(&folder, "rfc/rfc7515_appendix_a.json");
    let mut verified = Vec::new();
    for example in examples.as_array().expect("examples") {
        let section = example["section"].as_str().expect("a section");
        let token = example["jws"].as_str().expect("a token");
        let Some(key) = key(&example["jwk"]) else {
            assert_eq!(example["jwk"]["kty"], "oct", "{section}");
            continue;
        };
        let payload = jws::verify_with(token, &key).expect(section);
        assert_eq!(payload, example["payload"].as_str().expect("a payload").as_bytes());
        let spoiled = format!("{}A", &token[..token.len() - 1]);
        assert!(jws::verify_with(&spoiled, &key).is_err(), "{section}");
        verified.push(section.to_owned());
    }
    assert_eq!(verified, ["A.2 RS256", "A.3 ES256"]);
    let none = examples.as_array().expect("examples").last().expect("A.5");
    let rs256 = key(&examples[1]["jwk"]).expect("an RSA key");
    let unsecured = none["jws"].as_str().expect("a token");
    assert_eq!(jws::verify_with(unsecured, &rs256), Err(JwsFault::Algorithm));
}

#[test]
fn rfc_7638_thumbprints() {
    let Some(folder) = vectors::folder("RFC 7638 thumbprints") else { return };
    let examples = vectors::read(&folder, "rfc/jwk_thumbprints.json");
    let examples = examples.as_array().expect("examples");
    for example in examples {
        let key = key(&example["jwk"]).expect("a key of ours");
        assert_eq!(key.thumbprint().to_string(), example["sha256"], "{}", example["rfc"]);
    }
    assert_eq!(examples.len(), 2);
}

#[test]
fn ietf_cookbook() {
    let Some(folder) = vectors::folder("IETF JOSE cookbook") else { return };
    let root = folder.join("ietf-jose-cookbook");
    let (mut verified, mut refused) = (Vec::new(), Vec::new());
    for part in ["jws", "curve25519", "rfc7797"] {
        for entry in std::fs::read_dir(root.join(part)).expect(part) {
            let path = entry.expect(part).path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let example = vectors::read(&root, &format!("{part}/{name}"));
            let keys = &example["input"]["key"];
            let keys = keys.as_array().map_or(std::slice::from_ref(keys), Vec::as_slice);
            let keys: Vec<Key> = keys.iter().filter_map(key).collect();
            let Some(token) = example["output"]["compact"].as_str() else {
                // Only in the JSON serialisations, which nothing here reads.
                assert!(example["output"]["json"].is_object(), "{name}");
                refused.push(name);
                continue;
            };
            let payload = keys.iter().find_map(|key| jws::verify_with(token, key).ok());
            match payload {
                Some(payload) => {
                    let said = example["input"]["payload"].as_str().expect("a payload");
                    assert_eq!(String::from_utf8_lossy(&payload), said, "{name}");
                    verified.push(name);
                }
                None => refused.push(name),
            }
        }
    }
    verified.sort();
    refused.sort();
    assert_eq!(verified, ["4_1.rsa_v15_signature.json", "jws.json"]);
    assert_eq!(
        refused,
        [
            "4.2.hmac-sha2_b64_false.json",
            "4_2.rsa-pss_signature.json",
            "4_3.ecdsa_signature.json",
            "4_4.hmac-sha2_integrity_protection.json",
            "4_5.signature_with_detached_content.json",
            "4_6.protecting_specific_header_fields.json",
            "4_7.protecting_content_only.json",
            "4_8.multiple_signatures.json",
            "hmac-sha2_b64_false.json",
        ]
    );
}
