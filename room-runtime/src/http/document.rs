//! `room openapi`: the interface as an OpenAPI 3.1 document.
//!
//! Routes, modes and permissions are those of the router's own table, schemas those of the types on
//! the wire; what is written here is what neither can say. Built when it is asked for.

mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ::http::Method;
use room_auth::Permission;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use self::routes::{Answer, Doc, described};

/// Schemas by name, as they are collected.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// A type on the wire: its name, and itself with all it is made of.
#[derive(Clone)]
struct Shape {
    name: String,
    collect: fn(&mut Schemas),
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        Self {
            name: T::name().into_owned(),
            collect: |all| {
                all.push((T::name().into_owned(), T::schema()));
                T::schemas(all);
            },
        }
    }

    fn reference(&self) -> Value {
        json!({ "$ref": format!("#/components/schemas/{}", self.name) })
    }
}

/// What is wrong (RFC 9457). More members stand beside these where a `code` has more to say.
#[derive(ToSchema)]
#[expect(dead_code, reason = "answers are built by `ApiError`; this is their form")]
struct Problem {
    /// Always `about:blank`.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What a program reads: it does not change.
    code: String,
    /// What a person reads.
    detail: String,
    /// The same, for clients of the predecessor.
    error: String,
}

/// One route, as the router has it.
struct Route {
    method: Method,
    path: &'static str,
    permission: Option<Permission>,
    modes: Vec<&'static str>,
}

/// Every route of both modes.
fn table() -> Vec<Route> {
    let mut all: Vec<Route> = Vec::new();
    for (mode, local) in [("local", true), ("cloud", false)] {
        for (method, path, permission, _) in super::routes_of(local, !local).table {
            match all.iter_mut().find(|route| route.method == method && route.path == path) {
                Some(route) => route.modes.push(mode),
                None => all.push(Route { method, path, permission, modes: vec![mode] }),
            }
        }
    }
    all
}

/// The document.
pub fn document() -> Value {
    let docs: BTreeMap<&str, Doc> = described().into_iter().map(|doc| (doc.route, doc)).collect();
    let mut schemas = Schemas::new();
    (Shape::of::<Problem>().collect)(&mut schemas);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in table() {
        let name = format!("{} {}", route.method, route.path);
        let Some(doc) = docs.get(name.as_str()) else { continue };
        for shape in doc.body.iter().chain(doc.answers.iter().filter_map(|(_, it)| it.shape())) {
            (shape.collect)(&mut schemas);
        }
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(route.path).or_default().insert(method, operation(&route, doc));
    }
    let schemas: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Room",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Signs in codex and claude on a machine from any browser.",
            "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-room" },
            },
        },
    })
}

const DESCRIPTION: &str = "JSON is camelCase; times are RFC 3339 in UTC with milliseconds. Every \
    route names one permission (`x-permission`; none is public) and the modes it exists in \
    (`x-modes`; elsewhere it is 404). A body of a request is JSON of at most 64 KiB. What is wrong \
    is `application/problem+json` with a stable `code`. Live state comes over `GET /ws`, \
    subprotocol `room.v1`.";

fn operation(route: &Route, doc: &Doc) -> Value {
    let id = route.path.trim_start_matches("/api").replace(['{', '}'], "");
    let id = id.replace(['/', '-', '.'], "_");
    let tag = route.path.trim_start_matches("/api/").trim_start_matches('/');
    let mut operation = json!({
        "operationId": format!("{}{id}", route.method.as_str().to_ascii_lowercase()),
        "summary": doc.summary,
        "tags": [tag.split(['/', '.']).next().unwrap_or(tag)],
        "parameters": parameters(route, doc),
        "responses": responses(route, doc),
        "x-permission": route.permission.map(Permission::as_str),
        "x-modes": route.modes,
        "security": security(route),
    });
    if let Some(body) = &doc.body {
        operation["requestBody"] = json!({
            "required": doc.needs_body,
            "content": { "application/json": { "schema": body.reference() } },
        });
    } else if let Some(form) = doc.form {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/x-www-form-urlencoded": { "schema": {
                "type": "object", "required": [form], "properties": { form: { "type": "string" } },
            } } },
        });
    }
    operation
}

fn security(route: &Route) -> Value {
    match (route.permission, route.modes.contains(&"cloud")) {
        (None, _) => json!([]),
        (Some(_), false) => json!([{ "bearer": [] }]),
        (Some(_), true) => json!([{ "bearer": [] }, { "session": [] }]),
    }
}

fn parameters(route: &Route, doc: &Doc) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string" },
        }))
    });
    let in_query = doc.query.iter().map(|(name, what)| {
        json!({ "name": name, "in": "query", "description": what, "schema": { "type": "string" } })
    });
    in_path.chain(in_query).collect()
}

/// What the route answers, and the refusals that follow from what it is.
fn responses(route: &Route, doc: &Doc) -> Map<String, Value> {
    let mut all = Map::new();
    let problem = Shape::of::<Problem>().reference();
    let mut refuse = |status: u16, what: &str| {
        all.insert(
            status.to_string(),
            json!({
                "description": what,
                "content": { "application/problem+json": { "schema": problem } },
            }),
        );
    };
    let is_health = route.path == "/healthz" || route.path == "/readyz";
    if !is_health {
        refuse(400, "Two credentials, one in the address, or a request that cannot be read.");
        refuse(403, "A page of another origin asks, or the role does not allow it.");
        refuse(421, "The server does not answer to that Host.");
    }
    if route.permission.is_some() {
        refuse(401, "Sign in first; `WWW-Authenticate` says whether the credential has expired.");
    }
    if doc.body.is_some() || doc.form.is_some() {
        refuse(408, "The body took too long.");
        refuse(413, "The body is larger than 64 KiB.");
        refuse(415, "The body is of another type.");
    }
    if route.path.contains('{') {
        refuse(404, "There is no such provider, session or sign-in.");
    }
    refuse(429, "Too often; `Retry-After` says when again.");
    if !is_health {
        refuse(503, "Not now: the disk, the keys, or too much to do. `Retry-After` says when.");
    }
    for (status, what) in &doc.refusals {
        refuse(*status, what);
    }
    for (status, answer) in &doc.answers {
        all.insert(status.to_string(), answered(answer));
    }
    all
}

fn answered(answer: &Answer) -> Value {
    match answer {
        Answer::Json(shape) => json!({
            "description": "Done, or what was asked for.",
            "content": { "application/json": { "schema": shape.reference() } },
        }),
        Answer::Lines(shape) => json!({
            "description": "One JSON object a line.",
            "content": { "application/x-ndjson": { "schema": shape.reference() } },
        }),
        Answer::File(media) => json!({
            "description": "A file.",
            "content": { *media: { "schema": { "type": "string", "format": "binary" } } },
        }),
        Answer::Bare(what) => json!({ "description": what }),
    }
}
