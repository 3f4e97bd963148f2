//! What whoever runs a Room does with it, and what it tells them.

mod backup;
mod doctor;
mod metrics;
