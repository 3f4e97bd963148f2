//! Keys, and files with a token a line.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::{Algorithm, Role};
use serde_json::json;

use crate::{INSTANCE, ISSUER};

/// Longer than any run.
const LIFETIME: Duration = Duration::from_hours(12);

/// Writes `jwks.json`, a public JWK for each key, and the tokens.
pub(crate) fn mint(folder: &Path, count: usize) -> anyhow::Result<()> {
    let rsa = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::Rs256)?.with_kid("rsa"));
    let ec = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::Es256)?.with_kid("ec"));
    let stranger = Issuer::new(ISSUER, IssuerKey::generate(Algorithm::Rs256)?.with_kid("rsa"));
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);
    let public = [&rsa, &ec].map(|issuer| issuer.key().public_jwk());
    write("rsa.json", &public[0].to_string())?;
    write("ec.json", &public[1].to_string())?;
    write("jwks.json", &json!({ "keys": public }).to_string())?;
    write("rs256", &tokens(&rsa, count)?)?;
    write("es256", &tokens(&ec, count)?)?;
    write("rs256-one", &tokens(&rsa, 1)?)?;
    write("es256-one", &tokens(&ec, 1)?)?;
    write("bad-signature", &tokens(&stranger, count)?)?;
    write("unknown-kid", &unknown(&stranger, count)?)?;
    write("oversized", &format!("{}.{}.{}\n", "a".repeat(40), "b".repeat(9000), "c".repeat(340)))?;
    write("none", "")?;
    Ok(())
}

fn grant() -> Grant {
    Grant::person("user-1", Role::Owner).lifetime(LIFETIME)
}

fn tokens(issuer: &Issuer, count: usize) -> anyhow::Result<String> {
    let mut lines = String::new();
    for _ in 0..count {
        writeln!(lines, "{}", issuer.mint(INSTANCE, &grant(), SystemTime::now())?)?;
    }
    Ok(lines)
}

/// Tokens that each name another key, which nobody has. Nobody gets as far as the signature, so
/// it is always the same one.
fn unknown(issuer: &Issuer, count: usize) -> anyhow::Result<String> {
    let token = issuer.mint(INSTANCE, &grant(), SystemTime::now())?;
    let mut parts = token.splitn(3, '.').skip(1);
    let (payload, signature) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let mut lines = String::new();
    for n in 0..count {
        let header = format!(r#"{{"alg":"RS256","kid":"made-up-{n:08}","typ":"JWT"}}"#);
        let signed = issuer.key().sign(header, "")?;
        let header = signed.split('.').next().unwrap_or("");
        writeln!(lines, "{header}.{payload}.{signature}")?;
    }
    Ok(lines)
}
