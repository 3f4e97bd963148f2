//! Every route, who may use it, and the order of the layers.
//!
//! A route cannot be added without naming what it counts as, nor a guarded one without its
//! permission, and authentication stands in front of its body. What every request passes first is
//! [`Front`].

mod access;
mod activity;
mod arrive;
mod auth;
mod body;
mod document;
mod endpoints;
mod error;
mod front;
mod guard;
mod health;
mod instance;
mod live;
mod paths;
mod providers;
mod status;
#[cfg(test)]
mod tests;
mod ui;
pub mod wire;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse as _;
use axum::routing::{MethodFilter, on};
use http::Method;
use http::request::Parts;
use room_auth::Permission;

pub use self::document::document;
use self::endpoints::{Answering, Endpoints};
pub use self::error::ApiError;
pub use self::front::Front;
pub use self::guard::content_policy;
pub use self::health::{Checks, Written, checks};
pub use self::providers::written::WrittenStatuses;
pub use self::ui::build;
use crate::limits::Group;
use crate::state::{App, AppState};

/// The whole HTTP interface.
pub fn front(app: &AppState) -> Front {
    let Routes { router, table, endpoints, .. } = routes(app);
    let router = router
        .fallback(ui::serve)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(app.clone());
    let is_way_in = |(_, path, _, group): &(_, &'static str, _, Group)| {
        (*group == Group::SignIn).then_some(*path)
    };
    let ways_in = table.iter().filter_map(is_way_in).collect();
    let paths = table.into_iter().map(|(_, path, ..)| path).collect();
    Front::new(app, router, endpoints, paths, ways_in)
}

/// What each route asks for; `None` is public.
pub(crate) fn table(app: &AppState) -> Vec<(Method, &'static str, Option<Permission>)> {
    routes(app)
        .table
        .into_iter()
        .map(|(method, path, permission, _)| (method, path, permission))
        .collect()
}

fn routes(app: &AppState) -> Routes {
    routes_of(app.cloud.is_none(), app.cloud.is_some())
}

#[rustfmt::skip]
fn routes_of(local: bool, cloud: bool) -> Routes {
    use Permission::{AccessRevoke, ActivityRead, InstanceManage, InstanceWipe, Own, ProvidersManage, StatusRead};
    use Group::{Connect, Health, Input, Pair, Public, Read, SignIn, Socket, Write};
    Routes::new()
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
        .guarded(Method::POST, "/api/instance/backup", InstanceManage, Write, instance::back_up)
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
    router: Router<AppState>,
    /// Whether the next route is one of this mode.
    ours: bool,
    table: Vec<(Method, &'static str, Option<Permission>, Group)>,
    endpoints: Endpoints,
}

impl Routes {
    fn new() -> Self {
        Self {
            router: Router::new(),
            ours: true,
            table: Vec::new(),
            endpoints: Endpoints::default(),
        }
    }

    /// The next route is there only in one mode; in the other it is as if nobody had written it.
    fn when(self, ours: bool) -> Self {
        Self { ours, ..self }
    }

    fn add<H, T>(mut self, method: Method, path: &'static str, before: Before<H>) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("routes use common methods");
        if std::mem::replace(&mut self.ours, true) {
            let (permission, group) = match before.ask {
                Ask::Nobody(group) => (None, group),
                Ask::For(permission, group) => (Some(permission), group),
            };
            self.table.push((method.clone(), path, permission, group));
            self.endpoints.add(method, path, before.clone());
            self.router = self.router.route(path, on(filter, before));
        } else {
            let nothing = on(filter, || async { ApiError::not_found() });
            self.router = self.router.route(path, nothing);
        }
        self
    }

    fn public<H, T>(self, method: Method, path: &'static str, group: Group, handler: H) -> Self
    where
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.add(method, path, Before { ask: Ask::Nobody(group), handler })
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
        H: Handler<T, AppState> + Sync,
        T: 'static,
    {
        self.add(method, path, Before { ask: Ask::For(permission, group), handler })
    }
}

/// A handler, and what is asked before it is called.
#[derive(Clone)]
struct Before<H> {
    ask: Ask,
    handler: H,
}

#[derive(Clone, Copy)]
enum Ask {
    /// Anyone may call it, so often.
    Nobody(Group),
    /// Whoever has the permission may call it, so often.
    For(Permission, Group),
}

impl Ask {
    async fn pass(self, app: &App, parts: &mut Parts) -> Result<(), ApiError> {
        match self {
            // A sign-in counts its failures and a socket its person, once they are known.
            Self::Nobody(Group::SignIn | Group::Socket) => Ok(()),
            Self::Nobody(group) => guard::count(app, group, parts),
            Self::For(permission, group) => guard::authorize(app, permission, group, parts).await,
        }
    }
}

impl<H, T> Handler<T, AppState> for Before<H>
where
    H: Handler<T, AppState>,
    T: 'static,
{
    type Future = Answering;

    fn call(self, request: Request, app: AppState) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            match self.ask.pass(&app, &mut parts).await {
                Ok(()) => self.handler.call(Request::from_parts(parts, body), app).await,
                Err(refusal) => refusal.into_response(),
            }
        })
    }
}
