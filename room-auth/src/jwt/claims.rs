//! The rules that a claim set has to keep (RFC 7519, section 4), in the order of the checks.
//!
//! Pure: a parsed object, what is expected, and the time go in. Nothing here is called before the
//! signature has verified, but for [`issuer`].

use crate::error::Reason;
use crate::jwt::json::{Object, Value};

/// The longest `sub`, `jti`, `sid` or name, in characters (`OpenID` Connect Core, section 2).
const MAX_NAME_CHARACTERS: usize = 255;

/// 9999-12-31T23:59:59Z. Later dates are faults, not plans.
const LAST_SECOND: u64 = 253_402_300_799;

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'e> {
    pub(crate) issuer: &'e str,
    pub(crate) audiences: &'e [String],
    /// `None` where the protocol has no such claim (Cloudflare Access, logout tokens).
    pub(crate) instance: Option<&'e str>,
    pub(crate) lifetime: Lifetime,
}

/// How dates are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) leeway_seconds: u64,
    pub(crate) max_seconds: u64,
    pub(crate) issued_at: IssuedAt,
}

/// Whether a token has to say when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssuedAt {
    Required,
    /// For tokens of old that have none: their lifetime then counts from now.
    Optional,
}

/// The dates of a token, in whole seconds since 1970, rounded so that a fraction never helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) issued_at: Option<u64>,
    pub(crate) not_before: Option<u64>,
    pub(crate) expires_at: u64,
}

/// The `iss` of a payload that may not be proven yet: it only selects whose keys are tried. No
/// policy has a blank one.
pub(crate) fn issuer<'c>(claims: &'c Object<'_>) -> Result<&'c str, Reason> {
    match claims.get("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        _ => Err(Reason::UnknownIssuer),
    }
}

/// Checks `iss`, `aud`, `instanceId` and the dates, in this order.
pub(crate) fn check(
    claims: &Object<'_>,
    expected: &Expected<'_>,
    now: u64,
) -> Result<Dates, Reason> {
    if issuer(claims)? != expected.issuer {
        return Err(Reason::UnknownIssuer);
    }
    check_audience(claims, expected.audiences)?;
    if let Some(instance) = expected.instance
        && claims.get("instanceId").and_then(Value::as_str) != Some(instance)
    {
        return Err(Reason::Instance);
    }
    let dates = Dates {
        issued_at: date(claims, "iat", Round::Up)?,
        not_before: date(claims, "nbf", Round::Up)?,
        expires_at: date(claims, "exp", Round::Down)?.ok_or(Reason::Dates)?,
    };
    check_lifetime(&dates, expected.lifetime)?;
    check_dates(&dates, expected.lifetime, now)?;
    Ok(dates)
}

/// What the passing of time can change: also asked on each hit in the token cache.
pub(crate) fn check_dates(dates: &Dates, lifetime: Lifetime, now: u64) -> Result<(), Reason> {
    let Lifetime { leeway_seconds, max_seconds, issued_at: _ } = lifetime;
    if now >= dates.expires_at.saturating_add(leeway_seconds) {
        return Err(Reason::Expired);
    }
    let latest = now.saturating_add(leeway_seconds);
    if dates.not_before.is_some_and(|not_before| not_before > latest) {
        return Err(Reason::NotYetValid);
    }
    match dates.issued_at {
        Some(issued_at) if issued_at > latest => Err(Reason::IssuedInFuture),
        None if dates.expires_at > latest.saturating_add(max_seconds) => Err(Reason::Lifetime),
        _ => Ok(()),
    }
}

fn check_lifetime(dates: &Dates, lifetime: Lifetime) -> Result<(), Reason> {
    match dates.issued_at {
        None if lifetime.issued_at == IssuedAt::Required => Err(Reason::Dates),
        None => Ok(()),
        Some(issued_at) => match dates.expires_at.checked_sub(issued_at) {
            Some(life) if life > 0 && life <= lifetime.max_seconds => Ok(()),
            _ => Err(Reason::Lifetime),
        },
    }
}

fn check_audience(claims: &Object<'_>, ours: &[String]) -> Result<(), Reason> {
    let is_ours = |audience: &str| ours.iter().any(|ours| ours == audience);
    let found = match claims.get("aud") {
        Some(Value::String(audience)) => is_ours(audience),
        Some(Value::Array(audiences)) => {
            let mut found = false;
            for audience in audiences {
                found |= is_ours(audience.as_str().ok_or(Reason::Audience)?);
            }
            found
        }
        _ => false,
    };
    if found { Ok(()) } else { Err(Reason::Audience) }
}

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// A `NumericDate` (RFC 7519, section 2): seconds since 1970, which the RFC lets have a fraction.
///
/// Issuers that write fractions exist, so they are read, and rounded against the token: `exp`
/// down, the others up. What is negative, past the year 9999, or not a number at all is refused.
fn date(claims: &Object<'_>, name: &str, round: Round) -> Result<Option<u64>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(text)) => seconds(text, round).map(Some).ok_or(Reason::Dates),
        Some(_) => Err(Reason::Dates),
    }
}

fn seconds(text: &str, round: Round) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|&seconds| seconds <= LAST_SECOND);
    }
    let value: f64 = text.parse().ok()?;
    let value = match round {
        Round::Down => value.floor(),
        Round::Up => value.ceil(),
    };
    // `!(a <= b)` also refuses NaN; the sign bit refuses -0.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let is_date = value.is_sign_positive() && value <= LAST_SECOND as f64;
    #[expect(clippy::cast_possible_truncation, reason = "in range and whole, checked above")]
    #[expect(clippy::cast_sign_loss, reason = "not negative, checked above")]
    is_date.then_some(value as u64)
}

/// `sub`: not blank, at most 255 characters, no control characters.
pub(crate) fn subject<'c>(claims: &'c Object<'_>) -> Result<&'c str, Reason> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(Reason::Subject)?;
    if is_name(subject) { Ok(subject) } else { Err(Reason::Subject) }
}

/// An optional claim that identifies something (`jti`, `sid`): well-formed if it is there, for a
/// malformed one could not be revoked.
pub(crate) fn identifier<'c>(
    claims: &'c Object<'_>,
    name: &str,
) -> Result<Option<&'c str>, Reason> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if is_name(text) => Ok(Some(text)),
        Some(_) => Err(Reason::Claim),
    }
}

/// An optional claim that is only shown (`name`): of no use unless it is plain text.
pub(crate) fn shown<'c>(claims: &'c Object<'_>, name: &str) -> Result<Option<&'c str>, Reason> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_ref()).filter(|text| is_name(text))),
        Some(_) => Err(Reason::Claim),
    }
}

/// `email_verified`: a boolean, or the words some issuers write instead.
pub(crate) fn email_verified(claims: &Object<'_>) -> Result<bool, Reason> {
    match claims.get("email_verified") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(verified)) => Ok(*verified),
        Some(Value::String(word)) if word == "true" => Ok(true),
        Some(Value::String(word)) if word == "false" => Ok(false),
        Some(_) => Err(Reason::Claim),
    }
}

/// `role`, if it is a string. `Ok(None)` means that the claim is not there at all.
pub(crate) fn role<'c>(claims: &'c Object<'_>) -> Result<Option<&'c str>, Reason> {
    match claims.get("role") {
        None => Ok(None),
        Some(Value::String(role)) => Ok(Some(role)),
        Some(_) => Err(Reason::Role),
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= MAX_NAME_CHARACTERS
        && !text.chars().any(char::is_control)
}

/// A claim that is a string, whatever it says.
pub(crate) fn text<'c>(claims: &'c Object<'_>, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str)
}
