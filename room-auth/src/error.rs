//! Why a caller was not let in, in two voices: what the caller is told, and what the log is told.

use std::fmt;
use std::time::Duration;

use crate::jwks::Thumbprint;
use crate::jws::JwsFault;

/// A credential was not accepted.
///
/// The variant decides what the caller is told (see [`AuthError::status`]); everything in
/// [`Detail`] is for logs and metrics only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There was no credential: 401 without an error code (RFC 6750, section 3.1).
    #[error("no credential")]
    Missing,
    /// The request cannot be right: 400.
    #[error("request is malformed: {0}")]
    BadRequest(Detail),
    /// The token was good until it expired: 401, and the one detail that is told, for the client
    /// has to fetch a new one.
    #[error("token has expired: {0}")]
    Expired(Detail),
    /// Any other fault of the token: 401, without saying which.
    #[error("token is not accepted: {0}")]
    Invalid(Detail),
    /// The caller is known and may not: 403.
    #[error("not allowed: {0}")]
    Forbidden(Detail),
    /// The server cannot tell now: 503. Never 401, or an outage would sign people out.
    #[error("cannot verify now: {detail}")]
    Unavailable {
        /// Why.
        detail: Detail,
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many failures from one address: 429.
    #[error("too many failed attempts")]
    Limited {
        /// When to try again; at least a second.
        retry_after: Duration,
    },
}

impl AuthError {
    /// The HTTP status of the answer.
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Missing | Self::Expired(_) | Self::Invalid(_) => http::StatusCode::UNAUTHORIZED,
            Self::BadRequest(_) => http::StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => http::StatusCode::FORBIDDEN,
            Self::Unavailable { .. } => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::Limited { .. } => http::StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The `error` code of RFC 6750, section 3.1, for `WWW-Authenticate`. `None` where the header
    /// names no error (nothing was presented) or is not sent (503, 429).
    pub fn bearer_code(&self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::Unavailable { .. } | Self::Limited { .. } => None,
            Self::BadRequest(_) => Some("invalid_request"),
            Self::Expired(_) | Self::Invalid(_) => Some("invalid_token"),
            Self::Forbidden(_) => Some("insufficient_scope"),
        }
    }

    /// The detail for the log, where there is one.
    pub fn detail(&self) -> Option<&Detail> {
        match self {
            Self::BadRequest(detail)
            | Self::Expired(detail)
            | Self::Invalid(detail)
            | Self::Forbidden(detail)
            | Self::Unavailable { detail, .. } => Some(detail),
            Self::Missing | Self::Limited { .. } => None,
        }
    }

    /// The reason for the log.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::NoCredential,
            Self::Limited { .. } => Reason::Limited,
            Self::BadRequest(detail)
            | Self::Expired(detail)
            | Self::Invalid(detail)
            | Self::Forbidden(detail)
            | Self::Unavailable { detail, .. } => detail.reason,
        }
    }

    /// How long to wait before another attempt, in whole seconds and at least one, for
    /// `Retry-After`.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Unavailable { retry_after, .. } | Self::Limited { retry_after } => {
                Some((retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)).max(1))
            }
            Self::Missing
            | Self::BadRequest(_)
            | Self::Expired(_)
            | Self::Invalid(_)
            | Self::Forbidden(_) => None,
        }
    }

    /// Whether this counts as a failed attempt of the caller's address. A server that cannot
    /// verify, a missing credential or a missing role is nobody's guess.
    pub fn is_failed_attempt(&self) -> bool {
        match self {
            Self::BadRequest(_) | Self::Invalid(_) => true,
            Self::Missing
            | Self::Expired(_)
            | Self::Forbidden(_)
            | Self::Unavailable { .. }
            | Self::Limited { .. } => false,
        }
    }
}

/// What the log may know of a refusal: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Why.
    pub reason: Reason,
    /// The `iss` the token names; proven only if the reason comes after the signature.
    pub issuer: Option<LogText>,
    /// The `kid` the token names.
    pub kid: Option<LogText>,
    /// The key that verified it, if one did.
    pub thumbprint: Option<Thumbprint>,
    /// The token's `jti`, if its signature verified.
    pub token_id: Option<LogText>,
}

impl Detail {
    /// A detail that knows nothing but the reason.
    pub fn of(reason: Reason) -> Self {
        Self { reason, issuer: None, kid: None, thumbprint: None, token_id: None }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.code())
    }
}

/// Text from outside, safe to log: 64 characters at most, controls and quotes escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct LogText(Box<str>);

/// How much of a value from outside a log line takes.
const LOG_CHARACTERS: usize = 64;

impl LogText {
    /// Cuts and escapes.
    pub fn new(text: &str) -> Self {
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"'\\".contains(&byte);
        if text.len() <= LOG_CHARACTERS && text.bytes().all(is_plain) {
            return Self(text.into());
        }
        let mut characters = text.chars();
        let head: String = characters.by_ref().take(LOG_CHARACTERS).collect();
        let mut safe = head.escape_default().to_string();
        if characters.next().is_some() {
            safe.push('…');
        }
        Self(safe.into())
    }

    /// The text as it may be logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LogText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why, to the last detail. For logs and metrics; the codes are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, for the labels of a counter.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable name for logs and metrics.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

reasons! {
    /// Nothing was presented.
    NoCredential = "no_credential",
    /// More than one credential, or one header twice.
    SeveralCredentials = "several_credentials",
    /// An `Authorization` header that is no bearer, or is not text.
    AuthorizationHeader = "authorization_header",
    /// A token in the query string.
    QueryToken = "query_token",
    /// The token or its header is longer than allowed.
    Oversized = "oversized",
    /// Not three segments of canonical base64url.
    Encoding = "encoding",
    /// The header is not a strict JSON object.
    Header = "header",
    /// `crit`, `b64`, `zip`, `enc` or a nested token.
    Extension = "extension",
    /// The algorithm is none of those the issuer may use.
    Algorithm = "algorithm",
    /// `typ` names another kind of token.
    Type = "type",
    /// `kid` is missing or malformed.
    KeyId = "key_id",
    /// The issuer has no such key.
    UnknownKey = "unknown_key",
    /// Several keys share the id.
    AmbiguousKey = "ambiguous_key",
    /// The key is for another algorithm.
    KeyAlgorithm = "key_algorithm",
    /// The signature does not verify.
    Signature = "signature",
    /// The payload is not a strict JSON object.
    Payload = "payload",
    /// No `iss`, or none that is trusted for this kind of credential.
    UnknownIssuer = "unknown_issuer",
    /// `aud` does not hold ours.
    Audience = "audience",
    /// `instanceId` is not ours.
    Instance = "instance",
    /// `exp`, `iat` or `nbf` is missing or no date.
    Dates = "dates",
    /// `exp` has passed.
    Expired = "expired",
    /// `nbf` has not come.
    NotYetValid = "not_yet_valid",
    /// `iat` lies in the future.
    IssuedInFuture = "issued_in_future",
    /// Valid for longer than the policy allows, or `exp` not after `iat`.
    Lifetime = "lifetime",
    /// `sub` is missing, blank, too long, or holds control characters.
    Subject = "subject",
    /// Another claim has the wrong type.
    Claim = "claim",
    /// `role` is missing or unknown.
    Role = "role",
    /// A service role from an issuer that may not speak as a service.
    ServiceNotAllowed = "service_not_allowed",
    /// The caller's role lacks the permission.
    Permission = "permission",
    /// Revoked by token id, subject, key or instance epoch.
    Revoked = "revoked",
    /// No usable keys have been fetched yet.
    NoKeys = "no_keys",
    /// The keys are older than the stale bound.
    StaleKeys = "stale_keys",
    /// The Cloudflare Access assertion is missing.
    AssertionMissing = "assertion_missing",
    /// The assertion is not `type: app`.
    AssertionType = "assertion_type",
    /// The assertion has no e-mail address, or a malformed one.
    AssertionEmail = "assertion_email",
    /// The plain e-mail header differs from the assertion, or came alone.
    EmailHeader = "email_header",
    /// The person or service token is in no role map.
    NotMapped = "not_mapped",
    /// Two credentials that name different people.
    DifferentPeople = "different_people",
    /// A logout token without, or with the wrong, `events`.
    LogoutEvent = "logout_event",
    /// A logout token with a `nonce`.
    LogoutNonce = "logout_nonce",
    /// A logout token that was used before.
    Replayed = "replayed",
    /// The header that says where a request came from is malformed or occurs twice.
    ClientAddress = "client_address",
    /// Too many failed attempts.
    Limited = "limited",
}

impl From<JwsFault> for Reason {
    fn from(fault: JwsFault) -> Self {
        match fault {
            JwsFault::Oversized => Self::Oversized,
            JwsFault::Encoding => Self::Encoding,
            JwsFault::Header => Self::Header,
            JwsFault::Extension => Self::Extension,
            JwsFault::Algorithm => Self::Algorithm,
            JwsFault::KeyId => Self::KeyId,
            JwsFault::UnknownKey => Self::UnknownKey,
            JwsFault::AmbiguousKey => Self::AmbiguousKey,
            JwsFault::KeyAlgorithm => Self::KeyAlgorithm,
            JwsFault::Signature => Self::Signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_cut_and_escaped() {
        assert_eq!(LogText::new("kid-1").as_str(), "kid-1");
        assert_eq!(LogText::new("a\r\nb\0\"\u{202e}").as_str(), "a\\r\\nb\\u{0}\\\"\\u{202e}");
        assert_eq!(LogText::new(r#"it's "\""#).as_str(), r#"it\'s \"\\\""#);
        let full = "x".repeat(64);
        assert_eq!(LogText::new(&full).as_str(), full);
        assert_eq!(LogText::new(&format!("{full}x")).as_str(), format!("{full}…"));
        let long = LogText::new(&"x".repeat(1000));
        assert_eq!(long.as_str(), format!("{}…", "x".repeat(64)));
    }

    #[test]
    fn reasons_have_names_of_their_own() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn an_error_is_mapped_as_the_design_says() {
        let detail = || Detail::of(Reason::Signature);
        let wait = Duration::from_millis(1200);
        for (error, status, code, retry) in [
            (AuthError::Missing, 401, None, None),
            (AuthError::BadRequest(detail()), 400, Some("invalid_request"), None),
            (AuthError::Expired(detail()), 401, Some("invalid_token"), None),
            (AuthError::Invalid(detail()), 401, Some("invalid_token"), None),
            (AuthError::Forbidden(detail()), 403, Some("insufficient_scope"), None),
            (AuthError::Unavailable { detail: detail(), retry_after: wait }, 503, None, Some(2)),
            (AuthError::Limited { retry_after: Duration::ZERO }, 429, None, Some(1)),
        ] {
            assert_eq!(error.status().as_u16(), status);
            assert_eq!(error.bearer_code(), code);
            assert_eq!(error.retry_after_seconds(), retry);
        }
    }
}
