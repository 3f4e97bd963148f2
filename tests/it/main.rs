//! End-to-end tests, a module a feature.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may do as tests do")]

mod door;
mod fake_clis;
mod http;
mod real_clis;
mod startup;
