//! Who is signed in to a hosted Room, and how that ends for others.

use axum::body::Body as HttpBody;
use axum::extract::{Path, Request, State};
use axum::{Extension, Json};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use room_auth::revocation::{Revocation, Target};
use room_auth::{AuthError, Permission};

use super::activity::{self, By};
use super::arrive::cloud;
use super::body::{Body, in_time};
use super::error::ApiError;
use super::guard::{self, Guarded};
use super::wire;
use crate::activity::{Action, Actor, Detail};
use crate::cloud::departures::RevocationFailed;
use crate::cloud::may_end;
use crate::sign_in::address;
use crate::sign_in::ends::End;
use crate::state::{App, AppState};

/// How far in the future a moment may lie that a caller writes: clocks differ.
const CLOCKS_DIFFER_SECONDS: i64 = 120;

/// The longest name of a subject, a token or a key.
const NAME_BYTES: usize = 255;

/// `GET /api/access/sessions`: one's own devices, and for managers everyone's.
pub(super) async fn sessions(
    State(app): State<AppState>,
    Extension(caller): Guarded,
) -> Result<Json<wire::AccessSessions>, ApiError> {
    let all = caller.may(Permission::AccessManage);
    let mut sessions = cloud(&app)?.list(&app, |device| all || device.identity == caller.identity);
    for session in &mut sessions {
        session.current = session.id == caller.session;
    }
    Ok(Json(wire::AccessSessions { sessions }))
}

/// `DELETE /api/access/sessions/{id}`: signs a device out. One's own, or that of someone who is not
/// above.
pub(super) async fn end_session(
    State(app): State<AppState>,
    Path(id): Path<String>,
    Extension(caller): Guarded,
    by: By,
) -> Result<Json<wire::Done>, ApiError> {
    let cloud = cloud(&app)?;
    let found = cloud.device(&id);
    let is_own = found.as_ref().is_some_and(|(device, _)| device.identity == caller.identity);
    if !is_own && !caller.may(Permission::AccessManage) {
        return Err(ApiError::not_allowed());
    }
    let (device, person) = found.ok_or_else(ApiError::not_found)?;
    if !is_own && !may_end(caller.standing, person.role) {
        return Err(ApiError::not_allowed());
    }
    let how = if is_own { End::SignedOut } else { End::Revoked };
    // Ending a sign-in always works, whether or not it can be written down.
    let detail = Detail::none().subject(&device.identity.subject).device(&device.name);
    let (action, target) = (Action::EndSession, Some(device.id.as_str()));
    let intent = app.activity.intent_if_possible(by, action, target, detail).await;
    let done = cloud.end_device(&app, &device.id, how).await.map_err(ApiError::from);
    activity::ended(intent, done, |()| Detail::none()).await?;
    tracing::info!(device = device.name, "a device was signed out");
    Ok(Json(wire::Done { ok: true }))
}

/// `POST /api/access/revoke`: a control plane ends everything of a person, a token or a key of its
/// own issuer.
pub(super) async fn revoke(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    by: By,
    Body(asked): Body<wire::RevokeRequest>,
) -> Result<Json<wire::Done>, ApiError> {
    let wire::RevokeRequest { subject, token_id, key_id, not_before } = asked;
    let mut named =
        [subject.map(Target::Subject), token_id.map(Target::Token), key_id.map(Target::Key)]
            .into_iter()
            .flatten();
    let (Some(target), None) = (named.next(), named.next()) else {
        let detail = "Name one of subject, tokenId and keyId.";
        return Err(ApiError::bad_request("bad_revocation", detail));
    };
    if !is_name(&target) {
        let detail = "A name has 1 to 255 bytes and no control characters.";
        return Err(ApiError::bad_request("bad_revocation", detail));
    }
    let now = app.now();
    let issuer = caller.identity.issuer.clone();
    let revocation = match not_before {
        None => Revocation::now(issuer, target, app.clock.now()),
        Some(text) => {
            let at: Option<Timestamp> = text.parse().ok();
            let at = at.filter(|at| at.as_second() <= now.as_second() + CLOCKS_DIFFER_SECONDS);
            let not_before = at.filter(|at| at.as_second() >= 0).ok_or_else(|| {
                let detail = "notBefore is a time of RFC 3339, and not in the future.";
                ApiError::bad_request("bad_revocation", detail)
            })?;
            Revocation { issuer, target, not_before: not_before.into() }
        }
    };
    let devices = revoked(&app, by, Action::Revoke, revocation).await?;
    tracing::info!(devices, issuer = caller.identity.issuer, "access was revoked");
    Ok(Json(wire::Done { ok: true }))
}

/// Revokes, with rows in the log where they can be written: whom an issuer wants out is out.
async fn revoked(
    app: &App,
    by: impl Into<Actor>,
    action: Action,
    revocation: Revocation,
) -> Result<usize, ApiError> {
    let cloud = cloud(app)?;
    let (kind, name) = match &revocation.target {
        Target::Token(name) => ("token", name.as_str()),
        Target::Subject(name) => ("subject", name.as_str()),
        Target::Session(name) => ("session", name.as_str()),
        Target::Key(name) => ("key", name.as_str()),
        Target::Instance => ("instance", ""),
    };
    let detail = Detail::none().method(kind);
    let intent = app.activity.intent_if_possible(by, action, Some(name), detail).await;
    let done = cloud.revoke(app, revocation).await.map_err(ApiError::from);
    let count = |devices: &usize| Detail::none().count(*devices as u64);
    activity::ended(intent, done, count).await
}

fn is_name(target: &Target) -> bool {
    let name = match target {
        Target::Token(name) | Target::Subject(name) | Target::Session(name) | Target::Key(name) => {
            name
        }
        Target::Instance => return true,
    };
    !name.is_empty() && name.len() <= NAME_BYTES && !name.chars().any(char::is_control)
}

/// `POST /api/auth/backchannel-logout`: an issuer says that someone has signed out (`OpenID Connect
/// Back-Channel Logout 1.0`, section 2.5). What is wrong with the token is always 400 (section 2.8).
pub(super) async fn backchannel_logout(
    State(app): State<AppState>,
    request: Request,
) -> Result<Json<wire::Done>, ApiError> {
    let cloud = cloud(&app)?;
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let detail = "Send application/x-www-form-urlencoded.";
        return Err(ApiError::new(http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", detail));
    }
    let token = in_time(&parts.extensions, read_form(body)).await??;
    let verifier = cloud.trust.verifier.as_ref().ok_or_else(not_a_logout)?;
    let logout = match verifier.verify_logout(&token) {
        Ok(logout) => logout,
        Err(error) => {
            tracing::info!(reason = error.reason().code(), "a logout token was refused");
            return Err(match app.sign_in.judge(&app, error, address(&app, &parts)) {
                error @ (AuthError::Unavailable { .. } | AuthError::Limited { .. }) => error.into(),
                AuthError::Missing
                | AuthError::BadRequest(_)
                | AuthError::Expired(_)
                | AuthError::Invalid(_)
                | AuthError::Forbidden(_) => not_a_logout(),
            });
        }
    };
    let actor = Actor::stranger(address(&app, &parts)).named(logout.issuer());
    let revocation = logout.revocation(app.clock.now());
    let devices = revoked(&app, actor, Action::BackchannelLogout, revocation).await?;
    tracing::info!(devices, issuer = logout.issuer(), "an issuer signed someone out");
    Ok(Json(wire::Done { ok: true }))
}

fn not_a_logout() -> ApiError {
    ApiError::bad_request("invalid_request", "This is no logout token for this Room.")
}

async fn read_form(body: HttpBody) -> Result<String, ApiError> {
    let bytes = axum::body::to_bytes(body, guard::BODY_BYTES).await;
    let bytes = bytes.map_err(|_| guard::too_large())?;
    let mut fields = url::form_urlencoded::parse(&bytes).filter(|(name, _)| name == "logout_token");
    match (fields.next(), fields.next()) {
        (Some((_, token)), None) => Ok(token.into_owned()),
        _ => Err(not_a_logout()),
    }
}

impl From<RevocationFailed> for ApiError {
    fn from(error: RevocationFailed) -> Self {
        match error {
            RevocationFailed::Store(error) => error.into(),
            RevocationFailed::Table(error) => {
                let wait = std::time::Duration::from_mins(1);
                let detail = "Too many revocations are kept; this one is not in force.";
                Self::unavailable("revocations_full", detail, wait).because(&error)
            }
        }
    }
}
