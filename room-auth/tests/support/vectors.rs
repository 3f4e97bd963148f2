//! Vectors that nobody here wrote, read from the folder that `ROOM_JOSE_VECTORS` names. They have
//! licences of their own and are never part of this repository.

use std::path::PathBuf;

use serde_json::Value;

/// The folder, or `None` where there is none: then `test` is named as not run, and where `CI` is
/// `true` that is a failure.
#[expect(clippy::print_stderr, reason = "a test that did not run has to say so")]
pub(crate) fn folder(test: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("ROOM_JOSE_VECTORS") {
        return Some(PathBuf::from(folder));
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{test}: ROOM_JOSE_VECTORS is not set, and CI runs every vector"
    );
    eprintln!("NOT RUN: {test}: ROOM_JOSE_VECTORS names no folder");
    None
}

/// A JSON file of the folder.
pub(crate) fn read(folder: &std::path::Path, name: &str) -> Value {
    let path = folder.join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The public half of a key or key set. Vectors often give the private one; that a published
/// private key is refused is tested elsewhere and must not hide what they ask.
pub(crate) fn public_half(key: &Value) -> Value {
    let mut key = key.clone();
    match key.get_mut("keys").and_then(Value::as_array_mut) {
        Some(keys) => keys.iter_mut().for_each(drop_private),
        None => drop_private(&mut key),
    }
    key
}

fn drop_private(key: &mut Value) {
    let Some(members) = key.as_object_mut() else { return };
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        members.remove(name);
    }
    let operations = members.get_mut("key_ops").and_then(Value::as_array_mut);
    for operation in operations.into_iter().flatten().filter(|operation| *operation == "sign") {
        *operation = Value::from("verify");
    }
}
