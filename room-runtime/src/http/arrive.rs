//! How a device of a hosted Room signs in: by a token, by a pairing code, by Cloudflare's word.

use axum::body::Body as HttpBody;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{CONTENT_TYPE, HeaderMap, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{Method, StatusCode};
use room_auth::credential::Presented;
use room_auth::site::FetchSite;
use secrecy::ExposeSecret as _;

use super::activity::{self, By};
use super::body::Body;
use super::error::ApiError;
use super::guard::{self, Guarded};
use super::wire;
use crate::activity::{Action, Detail, hides};
use crate::cloud::arrivals::{ArrivalError, Arrived, Guest};
use crate::cloud::{Cloud, Invitation};
use crate::sign_in::{address, cookie, presented};
use crate::state::{App, AppState};

/// The longest name of a device, in characters.
const NAME_CHARACTERS: usize = 64;

/// `POST /api/auth/session`: trades a person's token for a session of this device. Here, and only
/// here, a bearer stands beside an old cookie, and the bearer decides.
pub(super) async fn sign_in(
    State(app): State<AppState>,
    request: Request,
) -> Result<Response, ApiError> {
    let cloud = cloud(&app)?;
    let (parts, body) = request.into_parts();
    let presented = begin(&app, cloud, &parts)?;
    // Who asks is known before a byte of the body is read.
    let guest = cloud.guest_by_token(&app, &presented).await;
    let guest = guest.map_err(|error| refused(&app, &parts, error))?;
    let wire::SessionRequest { device_name } = read(&parts, body).await?;
    arrive(&app, cloud, &parts, guest, Action::SignIn, device_name).await
}

/// `POST /api/auth/pair/redeem`: signs this device in by a code from another one.
pub(super) async fn redeem(
    State(app): State<AppState>,
    request: Request,
) -> Result<Response, ApiError> {
    let cloud = cloud(&app)?;
    let (parts, body) = request.into_parts();
    let presented = begin(&app, cloud, &parts)?;
    if presented.bearer().is_some() {
        return Err(ApiError::invalid_credentials("A code is redeemed without a token."));
    }
    let wire::RedeemRequest { code, device_name } = read(&parts, body).await?;
    let guest = cloud.guest_by_code(&app, &presented, &code).await;
    let guest = guest.map_err(|error| refused(&app, &parts, error))?;
    arrive(&app, cloud, &parts, guest, Action::Redeem, device_name).await
}

/// Lets a guest in, with a row in the log before it happens, and answers as `verify` does.
async fn arrive(
    app: &App,
    cloud: &Cloud,
    parts: &Parts,
    guest: Guest,
    action: Action,
    device_name: Option<String>,
) -> Result<Response, ApiError> {
    let old = cookie::read(&parts.headers)?;
    let name = device_name_of(device_name, &parts.headers);
    let actor = guest.actor(&name).at(address(app, parts));
    let intent = app.activity.intent(actor, action, None, Detail::none()).await?;
    let arrived = cloud.arrive(app, guest, old, &name).await;
    let arrived = arrived.map_err(|error| refused(app, parts, error));
    let session = |arrived: &Arrived| Detail::none().session(&arrived.caller.session);
    let arrived = activity::ended(intent, arrived, session).await?;
    tracing::info!(device = name, issuer = arrived.caller.identity.issuer, "a device signed in");
    let instance = app.config.instance_id.as_deref();
    let body = wire::Verified::new(&arrived.caller, instance, app.config.mode());
    let mut response = (StatusCode::OK, Json(body)).into_response();
    let cookie = cookie::set(&arrived.cookie).ok_or_else(ApiError::internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /api/auth/pair`: a code for one more device of the caller.
pub(super) async fn pair(
    State(app): State<AppState>,
    Extension(caller): Guarded,
    by: By,
) -> Result<Json<wire::Pairing>, ApiError> {
    let cloud = cloud(&app)?;
    if cloud.device(&caller.session).is_none() {
        let detail = "Only a device that is signed in can add another one.";
        return Err(ApiError::conflict("not_a_device", detail));
    }
    let intent = app.activity.intent(by, Action::Pair, None, Detail::none()).await?;
    let invitation = Invitation::From { device: caller.session.clone() };
    let made = cloud.invite(&app, &invitation).ok_or_else(|| {
        let detail = "Enough codes are out; they lapse after three minutes.";
        ApiError::too_many(detail, crate::cloud::pairing::LIFE)
    });
    let (code, expires_at) = activity::ended(intent, made, |_| Detail::none()).await?;
    tracing::info!(device = caller.device, "a pairing code was made");
    Ok(Json(wire::Pairing {
        code: code.typed.expose_secret().to_owned(),
        url: cloud.pairing_link(&code),
        expires_at: wire::time(expires_at),
    }))
}

pub(super) fn cloud(app: &App) -> Result<&Cloud, ApiError> {
    app.cloud.as_ref().ok_or_else(ApiError::not_found)
}

/// What sets a cookie has to be asked by our own page.
fn begin<'r>(app: &App, cloud: &Cloud, parts: &'r Parts) -> Result<Presented<'r>, ApiError> {
    let origin = parts.headers.get(http::header::ORIGIN);
    let is_own = match origin.map(|origin| origin.to_str()) {
        Some(origin) => origin.is_ok_and(|origin| app.site.is_own_origin(origin)),
        None => FetchSite::of(&parts.headers) == FetchSite::SameOrigin,
    };
    if !is_own {
        return Err(ApiError::wrong_origin("Only a page that this Room served may sign in."));
    }
    presented(cloud, parts)
}

async fn read<T: serde::de::DeserializeOwned>(
    parts: &Parts,
    body: HttpBody,
) -> Result<T, ApiError> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    for name in [CONTENT_TYPE, http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING] {
        if let Some(value) = parts.headers.get(&name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    guard::check_type(request.headers())?;
    request.extensions_mut().extend(parts.extensions.clone());
    Ok(Body::from_request(request, &()).await?.0)
}

/// A refusal, counted against the address if it was a guess.
fn refused(app: &App, parts: &Parts, error: ArrivalError) -> ApiError {
    let address = address(app, parts);
    match error {
        ArrivalError::Auth(error) => told(app.sign_in.judge(app, error, address)),
        ArrivalError::Code(_) => {
            app.activity.refused(address, "code");
            match app.sign_in.failed(address, app.clock.monotonic()) {
                Ok(()) => error.into(),
                Err(wait) => ApiError::too_many("Too many wrong codes; wait a moment.", wait),
            }
        }
        ArrivalError::TokenUsed | ArrivalError::TokenTooOld | ArrivalError::Store(_) => {
            error.into()
        }
    }
}

/// A page that brought a token has to say what became of it, more than that one has to sign in.
fn told(error: room_auth::AuthError) -> ApiError {
    use room_auth::AuthError as E;
    match error {
        E::Expired(_) => {
            ApiError::refused_code("token_expired", "This sign-in link has lapsed; get a new one.")
        }
        E::Invalid(_) => {
            ApiError::refused_code("invalid_token", "This sign-in link is not for this Room.")
        }
        error => error.into(),
    }
}

/// What the device is called: as its page says, or by its browser.
fn device_name_of(named: Option<String>, headers: &HeaderMap) -> String {
    let plain = named.map(|name| {
        let text: String = name.chars().filter(|c| !hides(*c)).take(NAME_CHARACTERS).collect();
        text.trim().to_owned()
    });
    if let Some(name) = plain.filter(|name| !name.is_empty()) {
        return name;
    }
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("");
    let known = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android device"),
        ("Macintosh", "Mac"),
        ("Windows", "Windows computer"),
        ("Linux", "Linux computer"),
    ];
    let found = known.into_iter().find(|(mark, _)| agent.contains(mark));
    found.map_or("Browser", |(_, name)| name).to_owned()
}
