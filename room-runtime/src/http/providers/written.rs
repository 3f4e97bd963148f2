//! The answer of `GET /api/providers/status` as bytes, for as long as nothing changed.

use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use provider_sessions::ProviderStatus;

use crate::channels::Audience;
use crate::http::wire;

/// The last answer to each audience, beside what it was made of.
#[derive(Default)]
pub struct WrittenStatuses {
    managers: Kept,
    readers: Kept,
}

type Kept = Mutex<Option<(Vec<ProviderStatus>, Bytes)>>;

impl WrittenStatuses {
    /// The answer that tells of these statuses: the last one if it was made of the same, else what
    /// `make` gives. What a live session is at changes beside its status: such an answer is written
    /// each time.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn get(
        &self,
        statuses: &[&ProviderStatus],
        audience: Audience,
        make: impl FnOnce() -> wire::Statuses,
    ) -> serde_json::Result<Bytes> {
        let write = || serde_json::to_vec(&make()).map(Bytes::from);
        if statuses.iter().any(|status| status.session.or(status.install).is_some()) {
            return write();
        }
        let kept = match audience {
            Audience::Managers => &self.managers,
            Audience::Readers => &self.readers,
        };
        // Nothing in here can leave it half changed.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, bytes)) = &*kept
            && of.iter().eq(statuses.iter().copied())
        {
            return Ok(bytes.clone());
        }
        let bytes = write()?;
        *kept = Some((statuses.iter().copied().cloned().collect(), bytes.clone()));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use provider_sessions::SessionId;

    use super::*;

    fn named(version: &str) -> wire::Statuses {
        let status = ProviderStatus { version: Some(version.into()), ..ProviderStatus::default() };
        let status = wire::ProviderStatus::new(&status, None, None, Audience::Readers);
        wire::Statuses { providers: [(version.to_owned(), status)].into() }
    }

    #[test]
    fn an_answer_is_kept_for_its_audience_until_a_status_changes() {
        let written = WrittenStatuses::default();
        let get = |status: &ProviderStatus, audience, name: &str| {
            let bytes = written.get(&[status], audience, || named(name)).unwrap();
            let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            answer["providers"].as_object().unwrap().keys().next().unwrap().clone()
        };
        let out = ProviderStatus { connected: Some(false), ..ProviderStatus::default() };
        assert_eq!(get(&out, Audience::Managers, "1"), "1");
        assert_eq!(get(&out, Audience::Managers, "2"), "1", "the same status");
        assert_eq!(get(&out, Audience::Readers, "3"), "3", "who may see less gets an own one");
        let signed_in = ProviderStatus { connected: Some(true), ..out.clone() };
        assert_eq!(get(&signed_in, Audience::Managers, "4"), "4", "it changed");
        assert_eq!(get(&signed_in, Audience::Managers, "5"), "4");
        let live = ProviderStatus { session: Some(SessionId::random()), ..signed_in };
        assert_eq!(get(&live, Audience::Managers, "6"), "6");
        assert_eq!(get(&live, Audience::Managers, "7"), "7", "what goes on is never kept");
    }
}
