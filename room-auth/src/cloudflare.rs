//! Cloudflare Access in front of the server: the assertion it puts on each request.
//!
//! The assertion is a gate and not a sign-in: who stands on a session or a bearer besides has to
//! be the same person ([`check_same_person`]). People get a role by an explicit list of addresses,
//! service tokens by an explicit list of names; nobody else gets any.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{AuthError, Detail, Reason};
use crate::identity::{Role, Standing};
use crate::issuers::{ConfigFault, DEFAULT_LEEWAY, MAX_LIFETIME, PolicyKeys};
use crate::jwks::{KeySet, KeyStore};
use crate::jws::{Algorithm, Header};
use crate::jwt::claims::{self, Dates, Expected, IssuedAt, Lifetime};
use crate::jwt::json::Object;
use crate::principal::{Principal, Source};

/// The longest e-mail address, in bytes (RFC 5321, section 4.5.3.1, as corrected).
const MAX_EMAIL_BYTES: usize = 254;

/// What is trusted of Cloudflare Access, and who gets in.
pub struct CloudflareAccess {
    team: String,
    issuer: String,
    audiences: Vec<String>,
    keys: PolicyKeys,
    people: BTreeMap<String, Role>,
    service_tokens: BTreeMap<String, Standing>,
    lifetime: Duration,
}

/// Who an assertion speaks for.
pub(crate) struct Visitor {
    pub(crate) subject: String,
    pub(crate) standing: Standing,
}

impl CloudflareAccess {
    /// The application with this audience tag in the team `TEAM.cloudflareaccess.com`, with keys
    /// fetched from [`CloudflareAccess::certs_url`].
    pub fn new(team: &str, audience: impl Into<String>, keys: Arc<KeyStore>) -> Self {
        Self::with(team, audience.into(), PolicyKeys::Remote(keys))
    }

    /// The same with fixed keys.
    pub fn static_keys(team: &str, audience: impl Into<String>, keys: KeySet) -> Self {
        Self::with(team, audience.into(), PolicyKeys::Static(Arc::new(keys)))
    }

    fn with(team: &str, audience: String, keys: PolicyKeys) -> Self {
        let team = team.strip_suffix(".cloudflareaccess.com").unwrap_or(team).to_owned();
        Self {
            issuer: format!("https://{team}.cloudflareaccess.com"),
            team,
            audiences: vec![audience],
            keys,
            people: BTreeMap::new(),
            service_tokens: BTreeMap::new(),
            lifetime: MAX_LIFETIME,
        }
    }

    /// Where a team publishes its keys.
    pub fn certs_url(team: &str) -> String {
        let team = team.strip_suffix(".cloudflareaccess.com").unwrap_or(team);
        format!("https://{team}.cloudflareaccess.com/cdn-cgi/access/certs")
    }

    /// Gives the person with this address a role. Upper and lower case of ASCII are the same.
    #[must_use]
    pub fn person(mut self, email: &str, role: Role) -> Self {
        self.people.insert(email.to_ascii_lowercase(), role);
        self
    }

    /// Lets a service token in, by its `common_name` (its client id).
    #[must_use]
    pub fn service_token(mut self, common_name: impl Into<String>, standing: Standing) -> Self {
        self.service_tokens.insert(common_name.into(), standing);
        self
    }

    pub(crate) fn keys(&self) -> &PolicyKeys {
        &self.keys
    }

    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime {
            leeway_seconds: DEFAULT_LEEWAY.as_secs(),
            max_seconds: self.lifetime.as_secs(),
            issued_at: IssuedAt::Required,
        }
    }

    pub(crate) fn faults(&self, faults: &mut Vec<ConfigFault>) {
        let is_label = !self.team.is_empty()
            && self.team.len() <= 63
            && self.team.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_label {
            faults.push(ConfigFault::CloudflareTeam);
        }
        if self.audiences.iter().any(|audience| audience.trim().is_empty()) {
            faults.push(ConfigFault::CloudflareAudience);
        }
        if self.people.is_empty() && self.service_tokens.is_empty() {
            faults.push(ConfigFault::CloudflareNobody);
        }
    }

    /// Cloudflare signs with RS256 and nothing else.
    pub(crate) fn check_header(
        &self,
        header: &Header<'_>,
        issuer: Option<&str>,
    ) -> Result<(), Reason> {
        if issuer != Some(self.issuer.as_str()) {
            return Err(Reason::UnknownIssuer);
        }
        if header.public_algorithm() != Some(Algorithm::Rs256) {
            return Err(Reason::Algorithm);
        }
        match header.typ.as_deref() {
            Some(typ) if !typ.eq_ignore_ascii_case("JWT") => Err(Reason::Type),
            _ => Ok(()),
        }
    }

    /// Reads the claims of an assertion whose signature has verified.
    pub(crate) fn read(&self, claims: &Object<'_>, now: u64) -> Result<(Dates, Visitor), Reason> {
        let expected = Expected {
            issuer: &self.issuer,
            audiences: &self.audiences,
            instance: None,
            lifetime: self.lifetime(),
        };
        let dates = claims::check(claims, &expected, now)?;
        // A token of the organisation (`type: org`) opens every application of the team.
        if claims::text(claims, "type") != Some("app") {
            return Err(Reason::AssertionType);
        }
        let visitor = if claims.has("common_name") {
            self.service(claims)?
        } else {
            let subject = claims::subject(claims)?.to_owned();
            let email = claims::text(claims, "email").filter(|email| is_email(email));
            let email = email.ok_or(Reason::AssertionEmail)?;
            let role = self.people.get(&email.to_ascii_lowercase()).ok_or(Reason::NotMapped)?;
            Visitor { subject, standing: Standing::Person(*role) }
        };
        Ok((dates, visitor))
    }

    /// A service token has an empty `sub` and no address.
    fn service(&self, claims: &Object<'_>) -> Result<Visitor, Reason> {
        let name = claims::identifier(claims, "common_name")?.ok_or(Reason::Subject)?;
        if !claims::text(claims, "sub").unwrap_or_default().is_empty() {
            return Err(Reason::Subject);
        }
        if claims.has("email") {
            return Err(Reason::AssertionEmail);
        }
        let standing = *self.service_tokens.get(name).ok_or(Reason::NotMapped)?;
        Ok(Visitor { subject: format!("service-token:{name}"), standing })
    }

    /// The plain header proves nothing, but a request on which it contradicts the assertion did
    /// not come through Cloudflare as it stands.
    pub(crate) fn check_email_header(
        principal: &Principal,
        header: Option<&str>,
    ) -> Result<(), AuthError> {
        match header {
            Some(header) if principal.profile().email.as_deref() != Some(header) => {
                Err(AuthError::Invalid(Detail::of(Reason::EmailHeader)))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for CloudflareAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudflareAccess")
            .field("issuer", &self.issuer)
            .field("people", &self.people.len())
            .field("service_tokens", &self.service_tokens.len())
            .finish_non_exhaustive()
    }
}

/// Checks that an assertion and another credential of the same request name one person.
///
/// Of one issuer they must be the same subject. Of two issuers, which name people differently,
/// both must say the same e-mail address, and the other issuer that it has checked it.
///
/// # Errors
/// They do not: 401.
pub fn check_same_person(assertion: &Principal, other: &Principal) -> Result<(), AuthError> {
    let is_same = if assertion.identity().issuer == other.identity().issuer {
        assertion.identity() == other.identity()
    } else {
        let (profile, theirs) = (assertion.profile(), other.profile());
        let is_proven = theirs.email_verified || other.source == Source::CloudflareAccess;
        let emails = profile.email.as_deref().zip(theirs.email.as_deref());
        is_proven && emails.is_some_and(|(one, two)| one.eq_ignore_ascii_case(two))
    };
    if is_same { Ok(()) } else { Err(AuthError::Invalid(Detail::of(Reason::DifferentPeople))) }
}

fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    text.len() <= MAX_EMAIL_BYTES
        && !text.chars().any(|character| character.is_control() || character.is_whitespace())
        && parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

#[cfg(test)]
mod tests;
