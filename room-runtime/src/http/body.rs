//! Reads a JSON body, after the caller was let in, and says plainly what is wrong with it.

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::guard;

/// A JSON body. No body at all reads as `{}`.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        guard::check_type(&request)?;
        let bytes: Result<Bytes, _> = request.with_limited_body().extract().await;
        let bytes = bytes.map_err(|rejection| {
            if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
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
