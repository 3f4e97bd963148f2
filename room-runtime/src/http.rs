//! Every route, who may use it, and the order of the layers.
//!
//! A route cannot be added without naming what it counts as, nor a guarded one without its
//! permission, and authentication stands in front of its body. What every request passes first is `guard::every_request`.

mod access;
mod activity;
mod arrive;
mod auth;
mod body;
mod error;
mod guard;
mod health;
mod instance;
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
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use room_auth::Permission;

pub use self::error::ApiError;
pub use self::guard::content_policy;
pub use self::ui::build;
use crate::limits::Group;
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

/// What each route asks for; `None` is public.
pub(crate) fn table(app: &AppState) -> Vec<(Method, &'static str, Option<Permission>)> {
    routes(app)
        .table
        .into_iter()
        .map(|(method, path, permission, _)| (method, path, permission))
        .collect()
}

#[rustfmt::skip]
fn routes(app: &AppState) -> Routes {
    use Permission::{AccessRevoke, ActivityRead, InstanceWipe, Own, ProvidersManage, StatusRead};
    use Group::{Connect, Health, Input, Pair, Public, Read, SignIn, Socket, Write};
    let (local, cloud) = (app.cloud.is_none(), app.cloud.is_some());
    Routes::new(app)
        .public(Method::GET, "/healthz", Health, health::healthz)
        .public(Method::GET, "/readyz", Health, health::readyz)
        .public(Method::GET, "/api/bootstrap", Public, status::bootstrap)
        .when(local).public(Method::POST, "/api/auth/handshake", SignIn, auth::handshake)
        .when(cloud).public(Method::POST, "/api/auth/session", SignIn, arrive::sign_in)
        .when(cloud).public(Method::POST, "/api/auth/pair/redeem", SignIn, arrive::redeem)
        .when(cloud).public(Method::POST, "/api/auth/backchannel-logout", SignIn, access::backchannel_logout)
        .when(cloud).guarded(Method::POST, "/api/auth/pair", Own, Pair, arrive::pair)
        .when(cloud).guarded(Method::GET, "/api/access/sessions", Own, Read, access::sessions)
        .when(cloud).guarded(Method::DELETE, "/api/access/sessions/{id}", Own, Write, access::end_session)
        .when(cloud).guarded(Method::POST, "/api/access/revoke", AccessRevoke, Write, access::revoke)
        .when(cloud).guarded(Method::POST, "/api/instance/wipe", InstanceWipe, Write, instance::wipe)
        // Everyone who gets in at all may ask who they are, a service too.
        .guarded(Method::GET, "/api/auth/verify", StatusRead, Read, auth::verify)
        .guarded(Method::DELETE, "/api/auth/session", Own, Write, auth::sign_out)
        .guarded(Method::POST, "/api/auth/ws-ticket", Own, Write, auth::ticket)
        .guarded(Method::GET, "/api/status", StatusRead, Read, status::status)
        .guarded(Method::GET, "/api/providers", StatusRead, Read, providers::table)
        .guarded(Method::GET, "/api/providers/status", StatusRead, Read, providers::statuses)
        .guarded(Method::POST, "/api/providers/{provider}/connect", ProvidersManage, Connect, providers::connect)
        .guarded(Method::GET, "/api/providers/{provider}/session", ProvidersManage, Read, providers::latest)
        .guarded(Method::POST, "/api/providers/{provider}/disconnect", ProvidersManage, Write, providers::disconnect)
        .guarded(Method::POST, "/api/providers/{provider}/verify", ProvidersManage, Write, providers::verify)
        .guarded(Method::POST, "/api/providers/{provider}/install", ProvidersManage, Connect, providers::install::install)
        .guarded(Method::GET, "/api/providers/{provider}/install", ProvidersManage, Read, providers::install::latest)
        .guarded(Method::PUT, "/api/providers/{provider}/api-key", ProvidersManage, Write, providers::keys::set)
        .guarded(Method::DELETE, "/api/providers/{provider}/api-key", ProvidersManage, Write, providers::keys::remove)
        .guarded(Method::GET, "/api/providers/sessions/{id}", ProvidersManage, Read, providers::session)
        .guarded(Method::POST, "/api/providers/sessions/{id}/input", ProvidersManage, Input, providers::input)
        .guarded(Method::POST, "/api/providers/sessions/{id}/cancel", ProvidersManage, Write, providers::cancel)
        .guarded(Method::GET, "/api/activity", ActivityRead, Read, activity::list)
        .guarded(Method::GET, "/api/activity.ndjson", ActivityRead, Read, activity::download)
        // Its own sign-in (a ticket, for pages) and a permission for each channel.
        .public(Method::GET, "/ws", Socket, live::open)
}

/// Collects routes, and what is asked of each, for the test that walks them.
struct Routes {
    app: AppState,
    router: Router<AppState>,
    /// Whether the next route is one of this mode.
    ours: bool,
    table: Vec<(Method, &'static str, Option<Permission>, Group)>,
}

impl Routes {
    fn new(app: &AppState) -> Self {
        Self { app: app.clone(), router: Router::new(), ours: true, table: Vec::new() }
    }

    /// The next route is there only in one mode; in the other it is as if nobody had written it.
    fn when(self, ours: bool) -> Self {
        Self { ours, ..self }
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        permission: Option<Permission>,
        group: Group,
        route: MethodRouter<AppState>,
    ) -> Self {
        let ours = std::mem::replace(&mut self.ours, true);
        let route =
            if ours { route } else { on(filter(&method), || async { ApiError::not_found() }) };
        self.router = self.router.route(path, route);
        if ours {
            self.table.push((method, path, permission, group));
        }
        self
    }

    fn public<H, T>(self, method: Method, path: &'static str, group: Group, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let route = on(filter(&method), handler);
        let route = match group {
            // A sign-in counts its failures and a socket its person, once they are known.
            Group::SignIn | Group::Socket => route,
            _ => route.route_layer(from_fn_with_state((self.app.clone(), group), guard::count)),
        };
        self.add(method, path, None, group, route)
    }

    fn guarded<H, T>(
        self,
        method: Method,
        path: &'static str,
        permission: Permission,
        group: Group,
        handler: H,
    ) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let authorize = from_fn_with_state((self.app.clone(), permission, group), guard::authorize);
        let route = on(filter(&method), handler).route_layer(authorize);
        self.add(method, path, Some(permission), group, route)
    }
}

fn filter(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).expect("routes use the common methods")
}
