//! What whoever runs a Room does with it, and what it tells them.

mod alerts;
mod backup;
mod disk;
mod doctor;
mod logs;
mod metrics;
mod storage;
