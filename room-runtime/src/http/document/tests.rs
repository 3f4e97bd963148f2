//! The document against the router's table, and against every message that is on file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;

#[test]
fn every_route_is_described_and_nothing_else() {
    let there: BTreeSet<String> =
        table().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let docs = described();
    let written: BTreeSet<String> = docs.iter().map(|doc| doc.route.to_owned()).collect();
    assert_eq!(there, written);
    assert_eq!(docs.len(), written.len(), "each once");
    let document = document();
    for route in table() {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][method];
        let permission = route.permission.map(Permission::as_str);
        assert_eq!(operation["x-permission"], Value::from(permission), "{}", route.path);
        let signs_in = operation["security"].as_array().unwrap().len();
        assert_eq!(signs_in == 0, permission.is_none(), "{}", route.path);
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with(['1', '2'])), "{}", route.path);
        assert!(permission.is_none() || answers.contains_key("401"), "{}", route.path);
    }
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| &operation["operationId"])
        .collect();
    let different: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(ids.len(), different.len());
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
                for field in fields.values() {
                    walk(field, found);
                }
            }
            Value::Array(items) => {
                for item in items {
                    walk(item, found);
                }
            }
            _ => {}
        }
    }
    let (document, mut found) = (document(), BTreeSet::new());
    walk(&document, &mut found);
    assert!(found.len() > 30, "{}", found.len());
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// A message on file, and the route and status that answers so.
const MESSAGES: &[(&str, &str, &str)] = &[
    ("access-sessions", "GET /api/access/sessions", "200"),
    ("activity", "GET /api/activity", "200"),
    ("bootstrap", "GET /api/bootstrap", "200"),
    ("connect", "POST /api/providers/{provider}/connect", "200"),
    ("disconnect", "POST /api/providers/{provider}/disconnect", "200"),
    ("handshake", "POST /api/auth/handshake", "200"),
    ("pair", "POST /api/auth/pair", "200"),
    ("problem", "POST /api/providers/{provider}/connect", "409"),
    ("provider-key-removed", "DELETE /api/providers/{provider}/api-key", "200"),
    ("provider-key-set", "PUT /api/providers/{provider}/api-key", "200"),
    ("provider-verify", "POST /api/providers/{provider}/verify", "200"),
    ("providers-status", "GET /api/providers/status", "200"),
    ("providers", "GET /api/providers", "200"),
    ("session", "GET /api/providers/{provider}/session", "200"),
    ("sign-out", "DELETE /api/auth/session", "200"),
    ("status", "GET /api/status", "200"),
    ("verify", "GET /api/auth/verify", "200"),
    ("wipe", "POST /api/instance/wipe", "200"),
    ("ws-ticket", "POST /api/auth/ws-ticket", "200"),
];

#[test]
fn what_is_on_the_wire_is_what_the_document_says() {
    let document = document();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wire");
    let mut used = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let fits =
            |row: &&(&str, &str, &str)| name == row.0 || name.starts_with(&format!("{}-", row.0));
        let row = MESSAGES.iter().filter(fits).max_by_key(|row| row.0.len());
        let Some((prefix, route, status)) = row else {
            assert!(
                name.starts_with("ws-") || name.starts_with("client-"),
                "{name}: of which route?"
            );
            continue;
        };
        used.insert(*prefix);
        let (method, address) = route.split_once(' ').unwrap();
        let content = &document["paths"][address][method.to_ascii_lowercase()]["responses"][status]
            ["content"];
        let schema = &content.as_object().unwrap().values().next().unwrap()["schema"];
        let message: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let faults = faults(&document, schema, &message, name);
        assert!(faults.is_empty(), "{faults:#?}");
        // A field that nobody wrote down is told.
        let mut more = message.clone();
        if let Some(fields) = more.as_object_mut().filter(|_| *prefix != "problem") {
            fields.insert("surprise".into(), Value::Null);
            assert!(!super::tests::faults(&document, schema, &more, name).is_empty(), "{name}");
        }
    }
    assert_eq!(used.len(), MESSAGES.len(), "each is on file: {used:?}");
}

/// What of a message does not fit its schema: as much of JSON Schema as the document uses.
fn faults(document: &Value, schema: &Value, message: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return faults(document, target, message, place);
    }
    for any in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[any].as_array() {
            let tried: Vec<Vec<String>> =
                choices.iter().map(|choice| faults(document, choice, message, place)).collect();
            let best = tried.into_iter().min_by_key(Vec::len);
            return best.unwrap_or_default();
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = match message {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits =
        types.is_empty() || types.contains(&is) || is == "integer" && types.contains(&"number");
    if !fits {
        return vec![format!("{place}: {is} and not one of {types:?}")];
    }
    match message {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(n, item)| {
                faults(document, &schema["items"], item, &format!("{place}[{n}]"))
            })
            .collect(),
        Value::Object(fields) => object_faults(document, schema, fields, place),
        _ => Vec::new(),
    }
}

fn object_faults(
    document: &Value,
    schema: &Value,
    fields: &Map<String, Value>,
    place: &str,
) -> Vec<String> {
    let (mut known, mut required) = (BTreeMap::new(), BTreeSet::new());
    merge(document, schema, &mut known, &mut required);
    let others = schema.get("additionalProperties").filter(|others| others.is_object());
    let mut found: Vec<String> = required
        .iter()
        .filter(|name| !fields.contains_key(*name))
        .map(|name| format!("{place}: {name} is missing"))
        .collect();
    for (name, value) in fields {
        let place = format!("{place}.{name}");
        match (known.get(name), others) {
            (Some(schema), _) | (None, Some(schema)) => {
                found.extend(faults(document, schema, value, &place));
            }
            (None, None) if place.starts_with("problem") => {}
            (None, None) => found.push(format!("{place}: not in the document")),
        }
    }
    found
}

/// The fields of a schema and of all it is put together from.
fn merge(
    document: &Value,
    schema: &Value,
    known: &mut BTreeMap<String, Value>,
    required: &mut BTreeSet<String>,
) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        merge(document, target, known, required);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        merge(document, part, known, required);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        known.insert(name.clone(), field.clone());
    }
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.extend(names.map(ToOwned::to_owned));
}
