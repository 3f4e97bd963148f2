//! `cargo xtask sbom`: what an image is made of, as `CycloneDX` 1.6.
//!
//! The crates that are in the program, what the page is built of, the providers' programs, and the
//! packages of Debian. No time and no random number is in it: the same image gives the same text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use toml::Table;

use crate::run::{command, output};
use crate::supply;

/// The provider's programs that are in the image.
const PROGRAMS: [&str; 2] = ["codex", "claude"];

/// The platform whose archives of them are.
const PLATFORM: &str = "linux-x86_64";

/// Prints it.
pub(crate) fn print(image: Option<&str>) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&document(image)?)?);
    Ok(())
}

/// The whole of it.
pub(crate) fn document(image: Option<&str>) -> anyhow::Result<Value> {
    let mut components = crates()?;
    components.extend(page()?);
    components.extend(programs()?);
    if let Some(image) = image {
        components.extend(debian(image)?);
    }
    let version = env!("CARGO_PKG_VERSION");
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "room",
                "name": "room",
                "version": version,
                "licenses": [{ "license": { "id": "MIT" } }],
            },
        },
        "components": components,
    }))
}

/// The crates that are linked into `room`.
fn crates() -> anyhow::Result<Vec<Value>> {
    let lock: Table = fs::read_to_string("Cargo.lock")?.parse()?;
    let mut sums = BTreeMap::new();
    for package in lock.get("package").and_then(|all| all.as_array()).into_iter().flatten() {
        let text = |name: &str| package.get(name).and_then(|value| value.as_str());
        if let (Some(name), Some(version), Some(sum)) =
            (text("name"), text("version"), text("checksum"))
        {
            sums.insert((name, version), sum);
        }
    }
    let packages = supply::packages(&["--package", "room-runtime", "--edges=normal"])?;
    let ours = |package: &Value| package["source"].is_null();
    packages
        .iter()
        .filter(|package| !ours(package))
        .map(|package| {
            let text = |name: &str| package[name].as_str().unwrap_or_default();
            let (name, version) = (text("name"), text("version"));
            let sum = sums.get(&(name, version));
            let sum = sum.with_context(|| format!("{name} {version} has no sum in Cargo.lock"))?;
            let license = text("license").replace('/', " OR ");
            Ok(json!({
                "type": "library",
                "bom-ref": format!("pkg:cargo/{name}@{version}"),
                "purl": format!("pkg:cargo/{name}@{version}"),
                "name": name,
                "version": version,
                "scope": "required",
                "licenses": [{ "expression": license }],
                "hashes": [{ "alg": "SHA-256", "content": sum }],
            }))
        })
        .collect()
}

/// The npm packages that are in the page.
fn page() -> anyhow::Result<Vec<Value>> {
    let lock: Value = serde_json::from_str(&fs::read_to_string("ui/package-lock.json")?)?;
    let packages = lock["packages"].as_object().context("ui/package-lock.json has packages")?;
    let shipped = packages.iter().filter_map(|(path, package)| {
        let (_, name) = path.rsplit_once("node_modules/")?;
        (package["dev"] != true && package["optional"] != true).then_some((name, package))
    });
    shipped
        .map(|(name, package)| {
            let version = package["version"].as_str().unwrap_or_default();
            let integrity = package["integrity"].as_str().unwrap_or_default();
            let mut one = npm(name, version, integrity)?;
            one["type"] = "library".into();
            if let Some(license) = package["license"].as_str() {
                one["licenses"] = json!([{ "expression": license }]);
            }
            Ok(one)
        })
        .collect()
}

/// The providers' programs, as their rows pin them.
fn programs() -> anyhow::Result<Vec<Value>> {
    PROGRAMS
        .into_iter()
        .map(|id| {
            let path = format!("provider-sessions/providers/{id}.toml");
            let row: Table = fs::read_to_string(&path)?.parse()?;
            let archives = row.get("install").and_then(|install| install.get("archive"));
            let archive = archives
                .and_then(|archives| archives.as_array())
                .into_iter()
                .flatten()
                .find(|one| one.get("platform").and_then(|it| it.as_str()) == Some(PLATFORM))
                .with_context(|| format!("{path} has no archive for {PLATFORM}"))?;
            let text = |name: &str| archive.get(name).and_then(|value| value.as_str());
            let text = |name| text(name).with_context(|| format!("{path} pins no {name}"));
            let mut one = npm(text("package")?, text("version")?, text("integrity")?)?;
            one["type"] = "application".into();
            Ok(one)
        })
        .collect()
}

/// An npm package with its digest, which npm writes in base64.
fn npm(name: &str, version: &str, integrity: &str) -> anyhow::Result<Value> {
    let digest = integrity.strip_prefix("sha512-").with_context(|| format!("{name}: no sha512"))?;
    let reference = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
    Ok(json!({
        "bom-ref": reference,
        "purl": reference,
        "name": name,
        "version": version,
        "hashes": [{ "alg": "SHA-512", "content": hexadecimal(digest)? }],
    }))
}

/// Base64 (RFC 4648, section 4) as hexadecimal digits.
fn hexadecimal(base64: &str) -> anyhow::Result<String> {
    let (mut bits, mut held, mut text) = (0_u32, 0, String::new());
    for byte in base64.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => bail!("{base64:?} is no base64"),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            write!(text, "{:02x}", (bits >> held) & 0xff)?;
        }
    }
    Ok(text)
}

/// The packages of Debian in an image.
fn debian(image: &str) -> anyhow::Result<Vec<Value>> {
    let words = ["podman", "--runtime=runc", "run", "--rm", "--network=none"];
    let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=64:64"];
    let format = "--showformat=${Package}\t${Version}\t${Architecture}\n";
    let query = ["--entrypoint=dpkg-query", image, "--show", format];
    let listed = output(command(".", &[&words[..], &limits, &query].concat()))?;
    let rows = listed.lines().map(|line| {
        let mut fields = line.split('\t');
        let mut field = || fields.next().with_context(|| format!("dpkg-query said {line:?}"));
        let (name, version, architecture) = (field()?, field()?, field()?);
        let escaped = version.replace('+', "%2B").replace(':', "%3A");
        let reference = format!("pkg:deb/debian/{name}@{escaped}?arch={architecture}");
        Ok(json!({
            "type": "library",
            "bom-ref": reference,
            "purl": reference,
            "name": name,
            "version": version,
        }))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_of_npm_is_read() {
        assert_eq!(hexadecimal("AAEC/v8=").unwrap(), "000102feff");
        assert_eq!(hexadecimal("+/8=").unwrap(), "fbff");
        assert!(hexadecimal("a-b").is_err());
    }

    #[test]
    fn everything_has_a_name_of_its_own_and_a_digest() {
        crate::run::enter_workspace().unwrap();
        let document = document(None).unwrap();
        let components = document["components"].as_array().unwrap();
        let mut names: Vec<_> =
            components.iter().map(|one| one["purl"].as_str().unwrap()).collect();
        let count = names.len();
        assert!(count > 150, "{count}");
        for expected in ["pkg:cargo/tokio@", "pkg:npm/preact@", "pkg:npm/%40openai/codex@"] {
            assert!(names.iter().any(|name| name.starts_with(expected)), "{expected}");
        }
        assert!(!names.iter().any(|name| name.starts_with("pkg:cargo/shuttle@")), "of tests alone");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for one in components {
            let digest = one["hashes"][0]["content"].as_str().unwrap();
            assert!([64, 128].contains(&digest.len()), "{one}");
        }
    }
}
