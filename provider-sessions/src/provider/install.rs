//! How a program gets onto the machine.

use serde::Deserialize;

/// How a program is installed, by a person and by Room.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// What a person types to install it, at the tested version.
    pub command: String,
    /// The version these rules were measured with.
    pub tested: String,
    /// The oldest version they were measured with; what is older is not known to sign in this way.
    #[serde(default)]
    pub oldest: Option<String>,
    /// What Room itself can install, one a platform; none where only the person can.
    #[serde(default, rename = "archive")]
    pub archives: Vec<Archive>,
}

impl Install {
    /// The archive for a platform, named as in [`Archive::platform`].
    pub fn archive(&self, platform: &str) -> Option<&Archive> {
        self.archives.iter().find(|archive| archive.platform == platform)
    }

    /// The archive for the machine this runs on.
    pub fn archive_here(&self) -> Option<&Archive> {
        self.archive(&format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH))
    }
}

/// An archive of the npm registry with the program in it, checked against a pinned digest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// `linux-x86_64` or `linux-aarch64`: the system and the processor, in Rust's words.
    pub platform: String,
    /// The package's name.
    pub package: String,
    /// The package's version.
    pub version: String,
    /// The digest of the archive, as the registry and lock files write it: `sha512-` and base 64.
    pub integrity: String,
    /// How large it is, in bytes.
    pub size_bytes: u64,
    /// Where the program is inside.
    pub program: String,
    /// What else it needs, files or whole folders (with a slash at the end), kept where they lie
    /// relative to the program.
    #[serde(default)]
    pub extra_files: Vec<String>,
}

impl Archive {
    /// Where it is downloaded from, below the address of a registry.
    pub fn url(&self, registry: &str) -> String {
        let registry = registry.trim_end_matches('/');
        let name = self.package.rsplit('/').next().unwrap_or(&self.package);
        format!("{registry}/{}/-/{name}-{}.tgz", self.package, self.version)
    }

    /// Whether a path inside the archive belongs to the program.
    pub fn wants(&self, path: &str) -> bool {
        path == self.program
            || self.extra_files.iter().any(|extra| {
                path == extra || (extra.ends_with('/') && path.starts_with(extra.as_str()))
            })
    }
}

#[cfg(test)]
mod tests {
    use crate::provider::built_in;

    #[test]
    fn archives_are_the_registrys() {
        let row = |id: &str| built_in().iter().find(|row| row.id == id).unwrap();
        let urls: Vec<String> = ["codex", "claude"]
            .into_iter()
            .flat_map(|id| &row(id).install.archives)
            .map(|archive| archive.url("https://registry.npmjs.org/"))
            .collect();
        assert_eq!(
            urls,
            [
                "https://registry.npmjs.org/@openai/codex/-/codex-0.169.0-linux-x64.tgz",
                "https://registry.npmjs.org/@openai/codex/-/codex-0.169.0-linux-arm64.tgz",
                "https://registry.npmjs.org/@anthropic-ai/claude-code-linux-x64/-/claude-code-linux-x64-2.1.330.tgz",
                "https://registry.npmjs.org/@anthropic-ai/claude-code-linux-arm64/-/claude-code-linux-arm64-2.1.330.tgz",
            ]
        );
    }

    #[test]
    fn only_the_program_and_its_neighbours_are_wanted() {
        let codex = built_in().iter().find(|row| row.id == "codex").unwrap();
        let archive = codex.install.archive("linux-x86_64").unwrap();
        let below = "package/vendor/x86_64-unknown-linux-musl";
        assert!(archive.wants(&format!("{below}/bin/codex")));
        assert!(archive.wants(&format!("{below}/codex-path/rg")));
        assert!(!archive.wants(&format!("{below}/codex-resources/voice/bin/codex-voice-host")));
        assert!(!archive.wants("package/package.json"));
        assert!(codex.install.archive("plan9-mips").is_none());
    }
}
