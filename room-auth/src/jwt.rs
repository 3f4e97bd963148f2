//! What a token says, and the rules that say whether it counts.

pub(crate) mod claims;
pub(crate) mod json;
