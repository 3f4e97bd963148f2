//! End-to-end tests, a module a feature.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may do as tests do")]

mod fake_clis;
mod real_clis;
