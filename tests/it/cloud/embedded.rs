//! A server within the test, where the test has the clock or the table of routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use provider_sessions::Launcher;
use room_auth::{Clock, Permission};
use room_runtime::{Config, Server};
use room_tests::app::{PUBLIC_URL, SOON};
use room_tests::client::{Answer, Client};
use room_tests::eventually_async;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Method, path and permission.
pub(super) type Route = (Method, &'static str, Option<Permission>);

/// Waits until a hosted Room has fetched the keys of its issuers.
pub(crate) async fn keys_are_there(client: &Client) {
    eventually_async("the keys are fetched", SOON, async || {
        let answer = Answer::of(client.anonymous(Method::GET, "/readyz")).await;
        let degraded = answer.body["degraded"].as_array()?;
        (!degraded.iter().any(|name| name == "keys")).then_some(())
    })
    .await;
}

/// A running hosted Room. To be ended with [`Embedded::end`].
pub(super) struct Embedded {
    pub(super) client: Client,
    pub(super) routes: Vec<Route>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _directory: TempDir,
}

impl Embedded {
    /// With these settings beside those every hosted Room needs, and this `room.toml`.
    pub(super) async fn start(
        clock: Arc<dyn Clock>,
        settings: &[(String, String)],
        room_toml: Option<&str>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let own = [
            ("ROOM_DATA_DIR", data.to_str().unwrap()),
            ("ROOM_PORT", "0"),
            ("ROOM_MODE", "cloud"),
            ("ROOM_BIND", "127.0.0.1"),
            ("ROOM_PUBLIC_URL", PUBLIC_URL),
            ("ROOM_CLIENT_IP", "direct"),
            ("ROOM_ALLOW_ROOT", "1"),
            ("ROOM_AUTH_FAILURES_PER_MINUTE", "off"),
            ("PATH", "/nonexistent"),
            // Who may install does, and finds nobody there.
            ("ROOM_NPM_REGISTRY", "http://127.0.0.1:1"),
        ];
        let mut environment: BTreeMap<String, String> =
            own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        environment.extend(settings.iter().cloned());
        let config = Config::load(&BTreeMap::new(), &environment, room_toml).unwrap();
        let launcher = Launcher { program: "/nonexistent".into(), args: Vec::new() };
        let server = Server::bind_with(config, &environment, launcher, clock).await.unwrap();
        let port = std::fs::read_to_string(data.join("api.port")).unwrap();
        let client = Client::of_hosted(port.trim().parse().unwrap()).unwrap();
        let (stop, routes) = (CancellationToken::new(), server.routes());
        let task = tokio::spawn(server.run(stop.clone()));
        Self { client, routes, stop, task, _directory: directory }
    }

    /// Waits until the issuers' keys were fetched.
    pub(super) async fn with_keys(self) -> Self {
        keys_are_there(&self.client).await;
        self
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
