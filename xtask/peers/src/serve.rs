//! The same small service four times: without authentication, with ours, and with each peer as
//! its documentation sets it up.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use jwks_client_rs::JwksClient;
use jwks_client_rs::source::WebSource;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator, static_token_policy};
use room_auth::axum::{AuthLayer, Caller};
use room_auth::jwks::{HttpFetch, HttpFetchOptions, KeyStore, KeyStoreOptions};
use room_auth::limiter::FailureLimiter;
use room_auth::{IssuerPolicy, Verifier};

use crate::{AUDIENCE, INSTANCE, ISSUER};

/// Which service.
pub(crate) enum Kind {
    Bare,
    Ours,
    JwksClient,
    OauthResourceServer,
}

impl FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "bare" => Self::Bare,
            "ours" => Self::Ours,
            "jwks-client" => Self::JwksClient,
            "oauth-resource-server" => Self::OauthResourceServer,
            _ => bail!("no such server: {text}"),
        })
    }
}

/// Serves until it is killed. The first line it prints is its port.
pub(crate) fn serve(kind: Kind, keys_url: &str) -> anyhow::Result<()> {
    let keys_url = keys_url.to_owned();
    run(async move {
        Ok(match kind {
            Kind::Bare => Router::new().route("/", get(async || "ok")),
            Kind::Ours => ours(&keys_url)?,
            Kind::JwksClient => jwks_client(&keys_url)?,
            Kind::OauthResourceServer => oauth_resource_server(&keys_url)?,
        })
    })
}

pub(crate) fn run(app: impl Future<Output = anyhow::Result<Router>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let app = app.await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
        Ok(())
    })
}

fn ours(keys_url: &str) -> anyhow::Result<Router> {
    let keys = Arc::new(KeyStore::new(keys_url, KeyStoreOptions::default()));
    let fetch = HttpFetch::new(keys_url, &HttpFetchOptions::default().allow_loopback_http())?;
    let fetched = Arc::clone(&keys);
    tokio::spawn(async move { fetched.run(fetch).await });
    let policy = IssuerPolicy::jwks(ISSUER, keys).audience(AUDIENCE);
    let verifier = Arc::new(Verifier::builder(INSTANCE).issuer(policy).build()?);
    // All load comes from one address, and a 429 would be cheaper than what is measured.
    let layer = AuthLayer::new(verifier).limiter(Arc::new(FailureLimiter::off()));
    Ok(Router::new().route("/", get(async |_: Caller| "ok")).layer(layer))
}

#[derive(serde::Deserialize)]
struct Claims {
    iss: String,
    #[serde(rename = "instanceId")]
    instance: String,
}

fn jwks_client(keys_url: &str) -> anyhow::Result<Router> {
    let timeout = Duration::from_secs(5);
    let source = WebSource::builder().with_timeout(timeout).with_connect_timeout(timeout);
    let source = source.build(url::Url::parse(keys_url)?)?;
    let client: JwksClient<WebSource> = JwksClient::builder().build(source);
    Ok(Router::new().route("/", get(with_jwks_client)).with_state(client))
}

async fn with_jwks_client(
    State(client): State<JwksClient<WebSource>>,
    headers: HeaderMap,
) -> Result<&'static str, StatusCode> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer "));
    let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
    let claims = client.decode::<Claims>(token, &[AUDIENCE]).await;
    match claims {
        // The crate checks neither.
        Ok(claims) if claims.iss == ISSUER && claims.instance == INSTANCE => Ok("ok"),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

fn oauth_resource_server(keys_url: &str) -> anyhow::Result<Router> {
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.to_owned(),
        jwks_uri: Some(keys_url.to_owned()),
        audience: AUDIENCE.to_owned(),
        resource: "https://room.example".to_owned(),
        allow_unscoped_tokens: true,
        required_claims: [("instanceId".to_owned(), INSTANCE.into())].into(),
        ..OAuthConfig::default()
    };
    let Some(resolved) = config.resolve(KeyNaming::Dotted("oauth"))? else {
        bail!("oauth-resource-server is not enabled");
    };
    let oauth = Arc::new(OAuthValidator::new(&resolved)?);
    oauth.spawn_background_refresh();
    let decision = static_token_policy(None, Some(&resolved), false)?;
    let layer = oauth_resource_server::axum::AuthLayer::from_decision(decision, Some(oauth))?;
    Ok(Router::new().route("/", get(async || "ok")).route_layer(layer))
}
