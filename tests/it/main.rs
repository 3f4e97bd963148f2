//! End-to-end tests, a module a feature.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may do as tests do")]

mod attacks;
mod browser;
mod callbacks;
mod cloud;
mod dashboard;
mod demo;
mod deploy;
mod door;
mod draining;
mod drills;
mod fake_clis;
mod hostile;
mod http;
mod image;
mod installs;
mod live;
mod logins;
mod operations;
mod processes;
mod proxies;
mod real_clis;
mod real_failures;
mod real_logins;
mod real_methods;
mod real_others;
mod room;
mod soak;
mod startup;
