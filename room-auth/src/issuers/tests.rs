//! What a table of issuers must not be.

use secrecy::SecretString;

use super::*;
use crate::issuer::{Issuer, IssuerKey};
use crate::verifier::{Verifier, VerifierBuilder};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn an_unsound_configuration_makes_no_verifier() {
    let keys =
        || Issuer::new("i", IssuerKey::generate(Algorithm::EdDsa).unwrap()).key_set().unwrap();
    let secrets = || Arc::new(LegacySecrets::new(&SecretString::from(SECRET.to_owned())).unwrap());
    let policy = || IssuerPolicy::static_keys("i", keys());
    let check = |builder: VerifierBuilder, faults: &[ConfigFault]| {
        assert_eq!(builder.build().unwrap_err().0, faults);
    };
    let issuer = || "i".to_owned();
    check(Verifier::builder(" "), &[ConfigFault::NoInstance, ConfigFault::NoIssuer]);
    check(
        Verifier::builder("x").issuer(
            policy()
                .audiences([])
                .algorithms([])
                .leeway(Duration::from_secs(121))
                .max_lifetime(Duration::from_secs(24 * 3600 + 1))
                .role_table([], Some(Role::Owner)),
        ),
        &[
            ConfigFault::NoAudience { issuer: issuer() },
            ConfigFault::Leeway { issuer: issuer() },
            ConfigFault::Lifetime { issuer: issuer() },
            ConfigFault::NoAlgorithm { issuer: issuer() },
            ConfigFault::RoleTable { issuer: issuer() },
        ],
    );
    check(
        Verifier::builder("x").issuer(policy()).issuer(policy()),
        &[ConfigFault::Twice { issuer: issuer() }],
    );
    check(
        Verifier::builder("x").issuer(policy()).issuer(IssuerPolicy::legacy_hmac(secrets())),
        &[ConfigFault::LegacyBesideKeys],
    );
    check(
        Verifier::builder("x").issuer(IssuerPolicy::legacy_hmac(secrets()).service(true)),
        &[ConfigFault::LegacyService],
    );
    check(
        Verifier::builder("x").issuer(IssuerPolicy::static_keys("i", KeySet::default())),
        &[ConfigFault::NoKeys { issuer: issuer() }],
    );
    let both = Verifier::builder("x")
        .issuer(policy())
        .issuer(IssuerPolicy::legacy_hmac(secrets()))
        .allow_legacy_beside_keys();
    assert!(both.build().is_ok());
    assert!(LegacySecrets::new(&SecretString::from("x".repeat(31))).is_err());
}
