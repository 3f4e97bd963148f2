//! The detector on recordings and on what programs might print.

mod recordings;
