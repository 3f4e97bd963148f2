//! What is asked of a key endpoint, what it may answer, and what can go wrong.

use std::time::Duration;

use crate::jwks::KeySetFault;

/// What is asked of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// The entity tag of the set that is held, for `If-None-Match`.
    pub etag: Option<String>,
    /// Whether caches on the way are to be asked past (`Cache-Control: no-cache`).
    pub no_cache: bool,
}

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The set that is held is still the current one (304).
    NotModified {
        /// `max-age` of `Cache-Control`.
        max_age: Option<Duration>,
    },
    /// A key set document (200).
    Document {
        /// Its bytes, not yet checked.
        body: Vec<u8>,
        /// Its entity tag.
        etag: Option<String>,
        /// `max-age` of `Cache-Control`.
        max_age: Option<Duration>,
    },
}

/// Why a fetch brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The whole fetch took too long.
    #[error("endpoint took too long")]
    Timeout,
    /// No connection: refused, unreachable, no such name, or TLS failed. The text is for the log.
    #[error("no connection to the endpoint: {0}")]
    Connect(Box<str>),
    /// The answer broke off.
    #[error("answer broke off: {0}")]
    Body(Box<str>),
    /// A status that is neither 200 nor 304. Redirects are not followed.
    #[error("endpoint answered {0}")]
    Status(u16),
    /// The body is larger than a key set may be.
    #[error("answer is too large")]
    TooLarge,
    /// The body is compressed, though nobody asked for that.
    #[error("answer is compressed")]
    Compressed,
    /// 304, but nothing is held that could be unmodified.
    #[error("endpoint answered 304 to a first request")]
    UnaskedNotModified,
    /// The document is no key set, or has no usable key.
    #[error(transparent)]
    KeySet(#[from] KeySetFault),
}

/// Brings key set documents. The one in production is
/// `HttpFetch` (feature `jwks-http`).
pub trait Fetch: Send + Sync + 'static {
    /// Asks once; bounded in time and size by itself.
    fn fetch(
        &self,
        request: FetchRequest,
    ) -> impl Future<Output = Result<Fetched, FetchFault>> + Send;
}
