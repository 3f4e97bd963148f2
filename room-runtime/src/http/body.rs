//! Reads a JSON body, after the caller was let in, and says plainly what is wrong with it. Answers
//! with one that is written already.

use std::sync::Arc;
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Extensions, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::guard;
use crate::state;

/// How long a body may take to arrive; a client that means well needs one way there and back.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether there are too many strangers to wait that long for each.
const LOOK: Duration = Duration::from_secs(1);

/// An answer whose JSON is written already.
pub(super) fn json(written: Bytes) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], written).into_response()
}

/// Marks the request of a stranger, who has one of these places.
#[derive(Clone)]
pub(super) struct Stranger(pub Arc<Semaphore>);

impl Stranger {
    fn is_in_a_crowd(&self) -> bool {
        self.0.available_permits() < state::STRANGERS - state::FEW_STRANGERS
    }
}

/// What reading a body gives, if it is there in time. A stranger has less of it while there are
/// many: those who drip then hold their places too shortly to keep others out.
///
/// # Errors
/// 408; the connection is closed, for the rest of the body is still to come.
pub(super) async fn in_time<T>(
    extensions: &Extensions,
    read: impl Future<Output = T>,
) -> Result<T, ApiError> {
    let stranger = extensions.get::<Stranger>().cloned();
    let time_is_up = async {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
            if stranger.as_ref().is_some_and(Stranger::is_in_a_crowd) {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        read = read => Ok(read),
        () = time_is_up => {
            let detail = "The body did not arrive in time.";
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
        }
    }
}

/// A JSON body. No body at all reads as `{}`.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        guard::check_type(request.headers())?;
        let extensions = request.extensions().clone();
        let read = request.with_limited_body().extract();
        let bytes: Result<Bytes, _> = in_time(&extensions, read).await?;
        let bytes = bytes.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                guard::too_large()
            } else {
                ApiError::bad_request("bad_body", "The body could not be read.")
            }
        })?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        match serde_json::from_slice(bytes) {
            Ok(value) => Ok(Self(value)),
            // Where it is wrong, and never what it says: it may be a secret.
            Err(error) => {
                let place = format!("line {}, column {}", error.line(), error.column());
                let fault =
                    if error.is_data() { "has a wrong or missing field" } else { "is not JSON" };
                let detail = format!("The body {fault} at {place}.");
                Err(ApiError::bad_request("bad_json", detail))
            }
        }
    }
}
