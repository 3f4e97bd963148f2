//! From what a request presents to who is calling.

use std::sync::Arc;

use crate::cloudflare::check_same_person;
use crate::credential::Presented;
use crate::error::{AuthError, Detail, Reason};
use crate::principal::Principal;
use crate::verifier::{Credential, Verifier};

impl Verifier {
    /// Verifies all that a request presents.
    ///
    /// Where Cloudflare Access is trusted, its assertion has to be on every request. By itself it
    /// signs its person in; beside a bearer, both have to be valid and name the same person, and
    /// the caller is who the bearer says. Where it is not trusted, its headers mean nothing.
    ///
    /// # Errors
    /// The first credential that is missing or not accepted.
    pub async fn admit(&self, presented: &Presented<'_>) -> Result<Arc<Principal>, AuthError> {
        let bearer = presented.bearer();
        if !self.expects_assertion() {
            let token = bearer.ok_or(AuthError::Missing)?;
            return self.authenticate(Credential::Bearer(token)).await;
        }
        let email_header = presented.email_header();
        let Some(assertion) = presented.assertion() else {
            return Err(match (email_header, bearer) {
                (Some(_), _) => AuthError::Invalid(Detail::of(Reason::EmailHeader)),
                (None, Some(_)) => AuthError::Invalid(Detail::of(Reason::AssertionMissing)),
                (None, None) => AuthError::Missing,
            });
        };
        let gate =
            self.authenticate(Credential::CloudflareAccess { assertion, email_header }).await?;
        let Some(token) = bearer else { return Ok(gate) };
        let caller = self.authenticate(Credential::Bearer(token)).await?;
        check_same_person(&gate, &caller)?;
        Ok(caller)
    }
}
