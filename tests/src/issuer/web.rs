//! What the control plane serves: its keys, and a door for people who come to sign in.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use room_auth::Role;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};

use super::{Book, Keys, MAX_AGE_SECONDS, Shared, lock, now, person, subject};

/// Who is signed in at the control plane itself. Cookies of `localhost` go to every port: its value
/// is the name of a role, which opens nothing.
const COOKIE_NAME: &str = "demo-person";

pub(super) async fn serve(listener: TcpListener, book: Shared) {
    let door = Door { listener, book: book.clone() };
    let app = Router::new()
        .route("/jwks.json", get(keys))
        .route("/sign-in", get(sign_in))
        .route("/launch", get(launch))
        .with_state(book);
    // An error of a listener on loopback is the end of the test that needs it.
    let _ = axum::serve(door, app).await;
}

/// Lets connections in, or closes them at once.
struct Door {
    listener: TcpListener,
    book: Shared,
}

impl axum::serve::Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = axum::serve::Listener::accept(&mut self.listener).await;
            if lock(&self.book).keys != Keys::Closed {
                return accepted;
            }
            lock(&self.book).fetches += 1;
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// `GET /jwks.json`. Each answer is the last on its connection, so that the next one meets the door.
async fn keys(State(book): State<Shared>, headers: HeaderMap) -> Response {
    let (answer, document) = {
        let mut book = lock(&book);
        book.fetches += 1;
        (book.keys, book.issuer.jwks())
    };
    let status = match answer {
        Keys::Served => StatusCode::OK,
        Keys::Status(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Keys::Hang => std::future::pending().await,
        Keys::Closed => StatusCode::SERVICE_UNAVAILABLE,
    };
    let close = [(CONNECTION, "close")];
    if status != StatusCode::OK {
        return (status, close).into_response();
    }
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&document)));
    let fresh = [(CACHE_CONTROL, format!("max-age={MAX_AGE_SECONDS}")), (ETAG, tag.clone())];
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        lock(&book).unchanged += 1;
        return (StatusCode::NOT_MODIFIED, close, fresh).into_response();
    }
    (close, fresh, [(CONTENT_TYPE, "application/jwk-set+json")], document).into_response()
}

#[derive(Deserialize)]
struct SignIn {
    r#as: String,
}

/// `GET /sign-in?as=ROLE`: a person signs in at the control plane and goes on to Room.
async fn sign_in(State(book): State<Shared>, Query(asked): Query<SignIn>) -> Response {
    let mut answer = to_room(&lock(&book), &asked.r#as, "/");
    let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax", asked.r#as);
    if let (true, Ok(cookie)) = (answer.status().is_redirection(), cookie.try_into()) {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
    answer
}

#[derive(Deserialize)]
struct Launch {
    instance: String,
    r#return: Option<String>,
}

/// `GET /launch?instance=ID&return=PATH`: a page that needs a fresh token comes by and goes back.
async fn launch(
    State(book): State<Shared>,
    Query(asked): Query<Launch>,
    headers: HeaderMap,
) -> Response {
    let book = lock(&book);
    if book.room.as_ref().is_none_or(|(_, instance)| *instance != asked.instance) {
        return page(StatusCode::NOT_FOUND, "There is no such instance here.");
    }
    let Some(role) = signed_in_as(&headers) else {
        return page(StatusCode::UNAUTHORIZED, "Nobody is signed in here; use one of the links.");
    };
    to_room(&book, &role, asked.r#return.as_deref().unwrap_or("/"))
}

fn signed_in_as(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value.to_owned())
}

/// Back to Room with a fresh token in the fragment. Where to is a path of Room's and nothing else,
/// or this would send tokens to whoever writes the address.
fn to_room(book: &Book, role: &str, path: &str) -> Response {
    let Some((room, instance)) = &book.room else {
        return page(StatusCode::NOT_FOUND, "There is no Room yet.");
    };
    let Some(role) = Role::parse(role) else {
        return page(StatusCode::NOT_FOUND, "There is nobody of that role.");
    };
    if book.removed.contains(&subject(role)) {
        return page(StatusCode::FORBIDDEN, "You are no longer a member of this team.");
    }
    let is_path = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '#']);
    let path = if is_path { path } else { "/" };
    let Ok(token) = book.issuer.mint(instance, &person(role), now()) else {
        return page(StatusCode::INTERNAL_SERVER_ERROR, "No token could be made.");
    };
    (StatusCode::SEE_OTHER, [(LOCATION, format!("{room}{path}#token={token}"))]).into_response()
}

fn page(status: StatusCode, text: &str) -> Response {
    let html = format!("<!doctype html><title>Control plane</title><p>{text}</p>");
    (status, Html(html)).into_response()
}
