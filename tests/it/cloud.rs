//! A hosted Room: who gets in, how far, and how that ends.

mod corpus;
pub(crate) mod embedded;
mod endings;
mod keys;
pub(crate) mod legacy;
mod pairing;
mod roles;
mod sockets;
mod walk;

use room_tests::app::{Setup, TestApp};
use room_tests::issuer::ControlPlane;

/// The instance under test.
pub(crate) const INSTANCE: &str = "inst-1";

/// The real program in cloud mode with a control plane beside it, and nobody's programs.
pub(crate) struct Hosted {
    pub(crate) app: TestApp,
    pub(crate) plane: ControlPlane,
}

impl Hosted {
    pub(crate) async fn start() -> Self {
        Self::with(|setup| setup).await
    }

    /// With more settings.
    pub(crate) async fn with(more: impl FnOnce(Setup) -> Setup) -> Self {
        let plane = ControlPlane::start(INSTANCE).unwrap();
        let setup = Setup::new().unwrap().cloud().env(plane.settings());
        let app = more(setup).start().await.unwrap();
        embedded::keys_are_there(app.client()).await;
        Self { app, plane }
    }
}
