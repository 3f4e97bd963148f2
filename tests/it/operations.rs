//! What whoever runs a Room does with it.

mod backup;
