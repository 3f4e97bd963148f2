//! `cargo xtask image`: builds the image from the Dockerfile that is here, and proves it.
//!
//! Registries of images are not asked: the bases are made by `debootstrap` and handed to the
//! Dockerfile as its arguments. What is proven, and how, is in `tests/it/image.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::run::{command, output, run};
use crate::{sbom, setup};

/// The release of Debian that the Dockerfile's own bases are of.
const RELEASE: &str = "trixie";
const MIRROR: &str = "http://deb.debian.org/debian";

/// The bases, kept from one run to the next.
const BASE: &str = "localhost/room-base";
const RUST: &str = "localhost/room-rust";

/// What is built.
pub(crate) const IMAGE: &str = "localhost/room";

/// What it is made of.
const MADE_OF: &str = "target/room-image.cdx.json";

/// What this machine trusts: a company's proxy may stand between it and the registries. Only the
/// build sees it.
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Of which build a program is taken.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// `target/release/room`.
    Release,
    /// `target/debug/room`: quick, and larger.
    Debug,
}

/// Builds the image, with a program that is there already or its own, and proves it.
pub(crate) fn image(built: Option<Profile>) -> anyhow::Result<()> {
    build(built)?;
    let prove = command(".", &["cargo", "test", "--package", "room-tests", "--test", "it"]);
    run(prove_with(prove))?;
    let made_of = serde_json::to_string_pretty(&sbom::document(Some(IMAGE))?)?;
    fs::write(MADE_OF, made_of)?;
    println!("what it is made of: {MADE_OF}");
    report()
}

fn prove_with(mut prove: Command) -> Command {
    prove.args(["image::", "--", "--nocapture", "--test-threads=1"]).env("ROOM_TEST_IMAGE", IMAGE);
    prove
}

/// Debian's smallest system with what TLS needs, as an image.
fn base() -> anyhow::Result<()> {
    if exists(BASE) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root");
    let shown = root.to_str().context("temporary folders have plain names")?;
    let words = ["debootstrap", "--variant=minbase", "--include=ca-certificates", RELEASE, shown];
    let mut make = command(".", &words);
    make.arg(MIRROR).stdout(Stdio::null());
    run(make)?;
    // It mounts these and leaves them: what is below is this machine's.
    for mounted in ["proc", "sys"] {
        let _ = command(shown, &["umount", mounted]).stderr(Stdio::null()).status();
    }
    let left = fs::read_to_string("/proc/mounts")?.contains(shown);
    ensure!(!left, "{shown} has something mounted in it");
    let mut tar = command(".", &["tar", "--directory", shown, "--create"]);
    tar.args(["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "."]);
    let mut tar = tar.stdout(Stdio::piped()).spawn().context("start tar")?;
    let mut import = command(".", &["podman", "import", "--quiet", "-", BASE]);
    import.stdin(tar.stdout.take().context("tar has an output")?);
    run(import)?;
    ensure!(tar.wait()?.success(), "tar failed");
    Ok(())
}

/// The same with a C compiler and the Rust that runs this.
fn rust() -> anyhow::Result<()> {
    if exists(RUST) {
        return Ok(());
    }
    let sysroot = output(command(".", &["rustc", "--print", "sysroot"]))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("Dockerfile");
    let text = format!(
        "FROM {BASE}\nRUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes \
         --no-install-recommends gcc libc6-dev make\nCOPY bin /usr/local/bin\n\
         COPY lib /usr/local/lib\n"
    );
    fs::write(&file, text)?;
    let mut build = command(".", &["podman", "build", "--quiet", "--isolation=chroot"]);
    build.arg("--tag").arg(RUST).arg("--file").arg(&file).arg(sysroot.trim());
    run(build)
}

/// Builds the image.
pub(crate) fn build(built: Option<Profile>) -> anyhow::Result<()> {
    setup::containers()?;
    base()?;
    let commit = output(command(".", &["git", "rev-parse", "--short=12", "HEAD"]))?;
    // The one that has health checks in it.
    let words = ["podman", "build", "--format=docker", "--isolation=chroot", "--tag", IMAGE];
    let mut make = command(".", &words);
    make.arg("--build-arg").arg(format!("COMMIT={}", commit.trim()));
    make.arg("--build-arg").arg(format!("BASE_IMAGE={BASE}"));
    if Path::new(TRUSTED).exists() {
        make.arg("--volume").arg(format!("{TRUSTED}:{TRUSTED}:ro"));
    }
    // Named as the stage, the folder takes its place.
    let folder = tempfile::tempdir()?;
    if let Some(profile) = built {
        fs::copy(program(profile)?, folder.path().join("room")).context("copy the program")?;
        make.arg("--build-context").arg(format!("build={}", folder.path().display()));
        make.arg("--build-arg").arg(format!("BUILD_IMAGE={BASE}"));
    } else {
        rust()?;
        make.arg("--build-arg").arg(format!("BUILD_IMAGE={RUST}"));
    }
    make.arg(".");
    run(make)
}

/// The program that is there already.
fn program(profile: Profile) -> anyhow::Result<PathBuf> {
    let folder = match profile {
        Profile::Release => "release",
        Profile::Debug => "debug",
    };
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let path = target.join(folder).join("room");
    if !path.exists() {
        bail!("{} is not built", path.display());
    }
    Ok(path)
}

/// How large it is, and of what.
fn report() -> anyhow::Result<()> {
    let format = "--format={{.Size}}\t{{.CreatedBy}}";
    run(command(".", &["podman", "history", "--no-trunc", format, IMAGE]))?;
    run(command(".", &["podman", "images", "--format={{.Repository}} {{.Size}} {{.ID}}", IMAGE]))
}

fn exists(image: &str) -> bool {
    let mut asked = command(".", &["podman", "image", "exists", image]);
    asked.status().is_ok_and(|status| status.success())
}
