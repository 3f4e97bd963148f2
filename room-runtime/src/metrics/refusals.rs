//! Refused credentials, by reason.

use room_auth::Reason;

use super::Counter;

/// Reasons of Room's own, beside those of `room-auth`.
const OURS: [&str; 7] = [
    UNKNOWN_TOKEN,
    "code_unknown",
    "code_used",
    "code_expired",
    "token_used",
    "token_too_old",
    "other",
];

/// A bearer, ticket or cookie that stands for nobody.
pub const UNKNOWN_TOKEN: &str = "unknown_token";

/// Why a credential was refused: rides on the answer to where answers are counted.
#[derive(Clone, Copy, Debug)]
pub struct Refusal(pub &'static str);

/// The counts.
#[derive(Debug)]
pub struct Refusals {
    /// By reason, in the order of [`reasons`].
    counts: Box<[Counter]>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { counts: reasons().map(|_| Counter::default()).collect() }
    }
}

impl Refusals {
    /// One was refused; a reason that is on no list counts as `other`.
    pub fn one(&self, Refusal(reason): Refusal) {
        let at = reasons().position(|known| known == reason);
        self.counts[at.unwrap_or(self.counts.len() - 1)].one();
    }

    pub(super) fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        reasons().zip(&self.counts).map(|(reason, count)| (reason, count.count()))
    }
}

fn reasons() -> impl Iterator<Item = &'static str> {
    Reason::ALL.iter().map(|reason| reason.code()).chain(OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_count_of_its_own() {
        let refusals = Refusals::default();
        for reason in [UNKNOWN_TOKEN, "no_credential", "signature", "invented"] {
            refusals.one(Refusal(reason));
        }
        let counted: Vec<_> = refusals.read().filter(|(_, count)| *count > 0).collect();
        let expected = [("no_credential", 1), ("signature", 1), (UNKNOWN_TOKEN, 1), ("other", 1)];
        assert_eq!(counted.len(), 4);
        assert!(expected.iter().all(|row| counted.contains(row)), "{counted:?}");
    }
}
