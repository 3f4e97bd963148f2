//! This verifier beside the two usual choices, `jsonwebtoken` and `jwks_client_rs`: for each
//! documented difference one test that shows both sides, and what all three agree on.
//!
//! They are measured as a careful reader of their documentation would use them, with the same
//! cryptographic library below. If a release of theirs closes a difference, the test goes red and
//! the documentation can drop it.

#[path = "differential/jsonwebtoken.rs"]
mod against_jsonwebtoken;
#[path = "differential/jwks_client.rs"]
mod against_jwks_client;
#[path = "differential/agreement.rs"]
mod agreement;
#[path = "differential/bench.rs"]
mod bench;
