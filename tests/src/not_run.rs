//! What cannot run on a machine says so.

/// Tells whoever runs the tests that `what` did not run, and why.
///
/// # Panics
///
/// When the environment says `CI=true`: there, a test that cannot run is a test that fails.
#[expect(clippy::print_stderr, reason = "who runs the tests is to see which did not run")]
pub fn not_run(what: &str, why: impl std::fmt::Display) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} cannot run here: {why}");
    eprintln!("NOT RUN: {what}: {why}");
}
