//! What the tests need beyond Rust: Node, npm packages by their lock files, Chromium.
//!
//! Each returns what is missing as an error for a person; nothing is skipped in silence.

use std::path::Path;
use std::process::Stdio;

use anyhow::bail;

use crate::run::{command, has, run};

/// Node 20 or newer with npm, installed with `apt-get` where that is possible.
pub(crate) fn node() -> anyhow::Result<()> {
    if !has(&["node", "--version"]) || !has(&["npm", "--version"]) {
        apt_install(&["nodejs", "npm"])?;
    }
    if has(&["npm", "--version"]) { Ok(()) } else { bail!("Node.js with npm is not installed") }
}

/// The npm packages that `dir/package-lock.json` names, exactly.
///
/// A stamp beside them spares the second run; it holds the lock file they came from.
pub(crate) fn npm_packages(dir: &str) -> anyhow::Result<()> {
    node()?;
    let lock = std::fs::read(Path::new(dir).join("package-lock.json"))?;
    let stamp = Path::new(dir).join("node_modules/.installed-lock");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(command(dir, &["npm", "ci", "--no-audit", "--no-fund"]))?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

/// Debian's `gh` at the tested version, in that directory alone: on the machine's own search path
/// every Room there would offer it.
pub(crate) fn gh(dir: &str) -> anyhow::Result<()> {
    const TESTED: &str = "gh version 2.23.0 ";
    let place = Path::new(dir).join("gh");
    let is_there = || {
        let version = command(".", &[&place.to_string_lossy(), "--version"]);
        place.exists() && crate::run::output(version).is_ok_and(|text| text.starts_with(TESTED))
    };
    if is_there() {
        return Ok(());
    }
    if !has(&["apt-get", "--version"]) || !has(&["dpkg-deb", "--version"]) {
        bail!("Debian's gh 2.23.0 is not in {dir}, and this is no Debian");
    }
    let folder = tempfile::tempdir()?;
    let unpacked = folder.path().to_string_lossy();
    run(command(&unpacked, &["sh", "-c", "apt-get -qq update && apt-get -qq download gh"]))?;
    run(command(&unpacked, &["sh", "-c", "dpkg-deb -x gh_*.deb ."]))?;
    std::fs::copy(folder.path().join("usr/bin/gh"), &place)?;
    if is_there() { Ok(()) } else { bail!("Debian has another gh here than 2.23.0") }
}

/// A Chromium that Playwright can drive, as a path.
pub(crate) fn chromium() -> anyhow::Result<&'static str> {
    const KNOWN: [&str; 4] = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    let found = || KNOWN.into_iter().find(|path| Path::new(path).exists());
    if found().is_none() {
        apt_install(&["chromium"])?;
    }
    match found() {
        Some(path) => Ok(path),
        None => bail!("Chromium is not installed"),
    }
}

/// What stands around a Room: the proxies it is walked behind, Prometheus, what drills break it with.
pub(crate) fn neighbours() -> anyhow::Result<()> {
    const PROGRAMS: [(&str, &str); 7] = [
        ("/usr/sbin/nginx", "nginx-light"),
        ("/usr/sbin/haproxy", "haproxy"),
        ("/usr/bin/promtool", "prometheus"),
        ("/usr/bin/faketime", "faketime"),
        ("/usr/bin/curl", "curl"),
        ("/usr/bin/ip", "iproute2"),
        ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ];
    let missing = || -> Vec<&str> {
        let absent = PROGRAMS.into_iter().filter(|(path, _)| !Path::new(path).exists());
        absent.map(|(_, package)| package).collect()
    };
    if !missing().is_empty() {
        apt_install(&missing())?;
    }
    match missing().first() {
        None => Ok(()),
        Some(package) => bail!("{package} is not installed"),
    }
}

/// What builds and runs images: as root, and without a daemon.
pub(crate) fn containers() -> anyhow::Result<()> {
    if !has(&["podman", "--version"])
        || !has(&["runc", "--version"])
        || !has(&["debootstrap", "--version"])
    {
        apt_install(&["podman", "runc", "debootstrap"])?;
    }
    let driver = command(".", &["podman", "info", "--format={{.Store.GraphDriverName}}"]);
    match crate::run::output(driver)?.trim() {
        "overlay" => Ok(()),
        // Which would copy the whole image for each of its layers.
        other => bail!("podman keeps images by {other} here, and not by overlay"),
    }
}

/// Installs Debian packages where this user may; elsewhere says what to install.
fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let root = crate::run::output(command(".", &["id", "-u"])).is_ok_and(|id| id.trim() == "0");
    if !root || !has(&["apt-get", "--version"]) {
        bail!("not on this machine: {} (install with your package manager)", packages.join(", "));
    }
    let apt = |words: &[&str]| {
        let mut apt = command(".", &["apt-get", "-y", "-qq"]);
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        run(apt)
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], packages].concat())
}
