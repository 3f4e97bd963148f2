//! Every route, who may use it, and the order of the layers.
//!
//! A guarded route cannot be added without naming its permission, and authentication stands in
//! front of its body. What every request passes first is `guard::every_request`.

mod activity;
mod auth;
mod body;
mod error;
mod guard;
mod health;
mod live;
mod providers;
mod status;
#[cfg(test)]
mod tests;
mod ui;
pub mod wire;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};
use http::Method;
use room_auth::Permission;

pub use self::error::ApiError;
pub use self::guard::CONTENT_POLICY;
pub use self::ui::build;
use crate::state::AppState;

/// The whole HTTP interface.
pub fn router(app: &AppState) -> Router {
    routes(app)
        .router
        .fallback(ui::serve)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(guard::BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::every_request))
        .with_state(app.clone())
}

#[rustfmt::skip]
fn routes(app: &AppState) -> Routes {
    use Permission::{ActivityRead, Own, ProvidersManage, StatusRead};
    Routes::new(app)
        .public(Method::GET, "/healthz", health::healthz)
        .public(Method::GET, "/readyz", health::readyz)
        .public(Method::GET, "/api/bootstrap", status::bootstrap)
        .public(Method::POST, "/api/auth/handshake", auth::handshake)
        .guarded(Method::GET, "/api/auth/verify", Own, auth::verify)
        .guarded(Method::DELETE, "/api/auth/session", Own, auth::sign_out)
        .guarded(Method::POST, "/api/auth/ws-ticket", Own, auth::ticket)
        .guarded(Method::GET, "/api/status", StatusRead, status::status)
        .guarded(Method::GET, "/api/providers", StatusRead, providers::table)
        .guarded(Method::GET, "/api/providers/status", StatusRead, providers::statuses)
        .guarded(Method::POST, "/api/providers/{provider}/connect", ProvidersManage, providers::connect)
        .guarded(Method::GET, "/api/providers/{provider}/session", ProvidersManage, providers::latest)
        .guarded(Method::POST, "/api/providers/{provider}/disconnect", ProvidersManage, providers::disconnect)
        .guarded(Method::POST, "/api/providers/{provider}/verify", ProvidersManage, providers::verify)
        .guarded(Method::GET, "/api/providers/sessions/{id}", ProvidersManage, providers::session)
        .guarded(Method::POST, "/api/providers/sessions/{id}/input", ProvidersManage, providers::input)
        .guarded(Method::POST, "/api/providers/sessions/{id}/cancel", ProvidersManage, providers::cancel)
        .guarded(Method::GET, "/api/activity", ActivityRead, activity::list)
        .guarded(Method::GET, "/api/activity.ndjson", ActivityRead, activity::download)
        // Its own sign-in (a ticket, for pages) and a permission for each channel.
        .public(Method::GET, "/ws", live::open)
}

/// Collects routes, and what is asked of each, for the test that walks them.
struct Routes {
    app: AppState,
    router: Router<AppState>,
    table: Vec<(Method, &'static str, Option<Permission>)>,
}

impl Routes {
    fn new(app: &AppState) -> Self {
        Self { app: app.clone(), router: Router::new(), table: Vec::new() }
    }

    fn public<H, T>(mut self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.router = self.router.route(path, on(filter(&method), handler));
        self.table.push((method, path, None));
        self
    }

    fn guarded<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        permission: Permission,
        handler: H,
    ) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let authorize = from_fn_with_state((self.app.clone(), permission), guard::authorize);
        let route = on(filter(&method), handler).route_layer(authorize);
        self.router = self.router.route(path, route);
        self.table.push((method, path, Some(permission)));
        self
    }
}

fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).expect("routes use the common methods")
}
