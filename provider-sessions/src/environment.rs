//! What a program of a login may see of the server's environment, and where it is found. Pure: the
//! server's own environment is handed in as a list, nothing here asks the process for it.
//!
//! The list says what passes; everything else does not exist for the program. So a key that is
//! meant for the server (`ROOM_*`, `ANTHROPIC_API_KEY`, `OPENAI_API_KEY`, `CODEX_ACCESS_TOKEN`, …)
//! neither leaks into a login nor makes a provider report the server's sign-in as the person's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What passes as it is: who and where the person is, and how to reach the vendors from behind a
/// company's proxy.
const PASSED: [&str; 17] = [
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CODEX_CA_CERTIFICATE",
];

/// What is set, whatever the server has.
///
/// `BROWSER=/bin/true` keeps a login from opening a browser on a machine nobody sits at; without
/// `DISPLAY` nothing else tries. An updater that starts in the middle of a login would outlive it.
const SET: [(&str, &str); 5] = [
    ("LANG", "C.UTF-8"),
    ("TERM", "xterm-256color"),
    ("BROWSER", "/bin/true"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_TELEMETRY", "1"),
];

/// Where programs are looked for when the server itself has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The whole environment of a login's program, its marker apart: what is on the list of `base`
/// (the server's own), the fixed values, `HOME`, and the provider's own variables.
///
/// A variable that `base` names twice counts once, the first; an empty one counts as absent. The
/// provider's variables come last and win. A `home` that is not UTF-8 cannot be named in a JSON
/// order and becomes a lossy text; such a directory must be refused before.
pub fn child_environment(
    base: &[(String, String)],
    home: &Path,
    provider: &[(String, String)],
) -> Vec<(String, String)> {
    let of_base = |name: &str| {
        base.iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(key, value)| (key.clone(), value.clone()))
    };
    let mut list: Vec<_> = PASSED.iter().filter_map(|name| of_base(name)).collect();
    if !list.iter().any(|(key, _)| key == "PATH") {
        list.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
    }
    list.extend(SET.map(|(key, value)| (key.to_owned(), value.to_owned())));
    list.push(("HOME".to_owned(), home.to_string_lossy().into_owned()));
    for (key, value) in provider {
        list.retain(|(known, _)| known != key);
        list.push((key.clone(), value.clone()));
    }
    list
}

/// The executable file `name`, whole path: looked for in `first`, then in the directories of `path`
/// (a `PATH`). Relative entries are passed over: what they mean depends on where one stands.
///
/// A `name` with a slash is a file of its own and is only checked.
pub fn find_program(name: &str, path: &OsStr, first: &[PathBuf]) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|file| is_executable(file));
    }
    first
        .iter()
        .cloned()
        .chain(std::env::split_paths(path))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_the_list_passes() {
        let base = pairs(&[
            ("PATH", "/opt/bin:/bin"),
            ("HOME", "/home/server"),
            ("LANG", "de_DE.UTF-8"),
            ("TZ", "Europe/Berlin"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("no_proxy", "localhost"),
            ("SSL_CERT_FILE", ""),
            ("ANTHROPIC_API_KEY", "sk-1"),
            ("OPENAI_API_KEY", "sk-2"),
            ("CODEX_ACCESS_TOKEN", "t"),
            ("CLAUDE_CODE_OAUTH_TOKEN", "t"),
            ("CLAUDECODE", "1"),
            ("ROOM_ENCRYPTION_KEY", "k"),
            ("ROOM_SESSION", "elsewhere"),
            ("DISPLAY", ":0"),
            ("WAYLAND_DISPLAY", "wayland-0"),
            ("LD_PRELOAD", "/tmp/x.so"),
            ("NODE_OPTIONS", "--require /tmp/x.js"),
            ("BASH_ENV", "/tmp/x"),
        ]);
        let mut list = child_environment(
            &base,
            Path::new("/home/person"),
            &pairs(&[("CODEX_HOME", "/home/person/.codex")]),
        );
        list.sort();
        assert_eq!(
            list,
            pairs(&[
                ("BROWSER", "/bin/true"),
                ("CODEX_HOME", "/home/person/.codex"),
                ("DISABLE_AUTOUPDATER", "1"),
                ("DISABLE_TELEMETRY", "1"),
                ("HOME", "/home/person"),
                ("HTTPS_PROXY", "http://proxy:3128"),
                ("LANG", "C.UTF-8"),
                ("PATH", "/opt/bin:/bin"),
                ("TERM", "xterm-256color"),
                ("TZ", "Europe/Berlin"),
                ("no_proxy", "localhost"),
            ])
        );
    }

    #[test]
    fn a_server_without_a_path_still_finds_the_system() {
        let list = child_environment(&[], Path::new("/h"), &[]);
        assert!(list.contains(&("PATH".to_owned(), DEFAULT_PATH.to_owned())));
    }

    #[test]
    fn the_providers_variables_win_and_names_stay_unique() {
        let base = pairs(&[("TZ", "UTC"), ("TZ", "Europe/Berlin")]);
        let list = child_environment(&base, Path::new("/h"), &pairs(&[("TERM", "dumb")]));
        let value = |name: &str| {
            let mut all = list.iter().filter(|(key, _)| key == name);
            let first = all.next().map(|(_, value)| value.as_str());
            assert!(all.next().is_none(), "{name} stands once");
            first
        };
        assert_eq!(value("TERM"), Some("dumb"));
        assert_eq!(value("TZ"), Some("UTC"));
    }

    #[test]
    fn a_program_is_an_executable_file_in_an_absolute_folder() {
        let root = tempfile::tempdir().unwrap();
        let [first, second, third] = ["1", "2", "3"].map(|name| root.path().join(name));
        for folder in [&first, &second, &third] {
            std::fs::create_dir(folder).unwrap();
        }
        let put = |file: &Path, mode| {
            std::fs::write(file, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        put(&first.join("tool"), 0o644);
        std::fs::create_dir(second.join("folder")).unwrap();
        put(&second.join("tool"), 0o755);
        put(&third.join("other"), 0o755);
        let path = std::env::join_paths([Path::new("."), &first, &second]).unwrap();
        let find = |name: &str| find_program(name, &path, std::slice::from_ref(&third));
        assert_eq!(find("tool"), Some(second.join("tool")), "the one that can be run");
        assert_eq!(find("other"), Some(third.join("other")));
        put(&third.join("tool"), 0o644);
        assert_eq!(find("tool"), Some(second.join("tool")), "not one that cannot be run");
        put(&third.join("tool"), 0o755);
        assert_eq!(find("tool"), Some(third.join("tool")), "our own folder comes first");
        assert_eq!(find("folder"), None);
        assert_eq!(find("Cargo.toml"), None);
        assert_eq!(
            find_program(second.join("tool").to_str().unwrap(), &path, &[]).as_deref(),
            Some(&*second.join("tool"))
        );
        assert_eq!(find_program(first.join("tool").to_str().unwrap(), &path, &[]), None);
    }
}
