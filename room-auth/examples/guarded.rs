//! A service that lets only its callers in: `cargo run -p room-auth --features axum,issuer
//! --example guarded`. It prints a `curl` line that works and goes on until Ctrl-C.
#![expect(clippy::print_stdout, reason = "an example speaks to a terminal")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::{Router, routing::get};
use room_auth::axum::{AuthLayer, AuthRejection, Caller};
use room_auth::issuer::{Grant, Issuer, IssuerKey};
use room_auth::{Algorithm, IssuerPolicy, Permission, Role, Verifier};

async fn hello(caller: Caller) -> Result<String, AuthRejection> {
    caller.require(Permission::StatusRead)?;
    Ok(format!("Hello, {}\n", caller.identity().subject))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A real service has `IssuerPolicy::jwks` and the issuer lives elsewhere.
    let issuer = Issuer::new("https://id.example", IssuerKey::generate(Algorithm::EdDsa)?);
    let policy = IssuerPolicy::static_keys(issuer.name(), issuer.key_set()?);
    let verifier = Arc::new(Verifier::builder("instance-1").issuer(policy).build()?);

    let app = Router::new().route("/", get(hello)).layer(AuthLayer::new(verifier));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let grant = Grant::person("ada", Role::Owner);
    let token = issuer.mint("instance-1", &grant, SystemTime::now())?;
    println!("curl -H 'Authorization: Bearer {token}' http://{}/", listener.local_addr()?);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}
