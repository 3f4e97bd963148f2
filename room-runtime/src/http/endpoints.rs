//! The short way from an address to its handler.
//!
//! For each request the router boxes and clones whatever service somebody may have put on a route,
//! which costs more than all rules and the answer together. Most addresses have no parameter, and
//! for those the handler is found here. All else is left to the router, which knows every route:
//! parameters, `HEAD`, methods that an address does not take, the dashboard.

use std::collections::HashMap;
use std::pin::Pin;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use http::Method;

use crate::state::AppState;

/// An answer that is being made.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

type Endpoint = Box<dyn Fn(Request, AppState) -> Answering + Send + Sync>;

/// The handlers of the addresses without a parameter.
#[derive(Default)]
pub(super) struct Endpoints(HashMap<&'static str, Vec<(Method, Endpoint)>>);

impl Endpoints {
    /// Adds a handler, unless its address has a parameter.
    pub(super) fn add<H, T>(&mut self, method: Method, path: &'static str, handler: H)
    where
        H: Handler<T, AppState, Future = Answering> + Sync,
    {
        if !path.contains('{') {
            let endpoint = move |request, app| handler.clone().call(request, app);
            self.0.entry(path).or_default().push((method, Box::new(endpoint)));
        }
    }

    /// The handler of this very method and address.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<&Endpoint> {
        let endpoints = self.0.get(path)?;
        endpoints.iter().find(|(taken, _)| taken == method).map(|(_, endpoint)| endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handler that nobody calls.
    #[derive(Clone)]
    struct Nobody;

    impl Handler<(), AppState> for Nobody {
        type Future = Answering;

        fn call(self, _: Request, _: AppState) -> Answering {
            unreachable!("it is looked for and not called")
        }
    }

    #[test]
    fn only_the_very_method_and_address_are_found() {
        let mut endpoints = Endpoints::default();
        for (method, path) in [(Method::GET, "/a"), (Method::POST, "/a"), (Method::GET, "/a/{id}")]
        {
            endpoints.add(method, path, Nobody);
        }
        let finds = |method, path| endpoints.find(&method, path).is_some();
        assert!(finds(Method::GET, "/a") && finds(Method::POST, "/a"));
        for (method, path) in [
            (Method::HEAD, "/a"),
            (Method::PUT, "/a"),
            (Method::GET, "/a/"),
            (Method::GET, "/A"),
            (Method::GET, "/a/7"),
            (Method::GET, "/a/{id}"),
        ] {
            assert!(!finds(method.clone(), path), "{method} {path}");
        }
    }
}
