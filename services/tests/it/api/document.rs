//! Our document, as a judge of answers.

use std::net::SocketAddr;

use axum::http::Method;
use serde_json::{Value, json};

use crate::edge::client::{Answer, read};

/// What one service says of all.
pub(super) struct Document(Value);

/// One route and method of the document.
pub(super) struct Operation<'a> {
    pub(super) id: &'a str,
    responses: &'a serde_json::Map<String, Value>,
}

impl Document {
    pub(super) async fn of(service: SocketAddr) -> Self {
        let answer = read(service, "/openapi.json").await;
        assert_eq!(answer.status, 200);
        Self(answer.json())
    }

    pub(super) const fn json(&self) -> &Value {
        &self.0
    }

    /// Every operation, as its id and the status codes that it names.
    pub(super) fn promises(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| ["get", "post"].map(|method| &path[method]));
        let operations = operations.filter(|operation| operation.is_object());
        operations
            .flat_map(|operation| {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                let statuses = operation["responses"].as_object().unwrap().keys();
                statuses.map(move |status| (id.clone(), status.clone()))
            })
            .collect()
    }

    /// The operation that answers `method` at `path` on a service's `known_port`.
    pub(super) fn operation(
        &self,
        known_port: u16,
        method: &Method,
        path: &str,
    ) -> Option<Operation<'_>> {
        let paths = self.0["paths"].as_object()?;
        let (_, item) = paths.iter().find(|(template, item)| {
            let port = format!(":{known_port}");
            let servers = item["servers"].as_array().unwrap();
            let served = servers.iter().any(|s| s["url"].as_str().unwrap().ends_with(&port));
            served && fits(template, path)
        })?;
        let operation = item.get(method.as_str().to_lowercase())?;
        let id = operation["operationId"].as_str()?;
        Some(Operation { id, responses: operation["responses"].as_object()? })
    }

    /// What is wrong with an answer of `operation`.
    pub(super) fn judge(&self, operation: &Operation<'_>, answer: &Answer) -> Result<(), String> {
        let status = answer.status.as_str();
        let response = operation.responses.get(status).ok_or("an undocumented status")?;
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let header = match header["$ref"].as_str() {
                Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
                None => header,
            };
            let value = answer.header(name).ok_or_else(|| format!("no {name}"))?;
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            self.validate(&header["schema"], &value).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        let Some(content) = response["content"].as_object() else { return Ok(()) };
        let content_type = answer.header("content-type").ok_or("no content type")?;
        let content_type = content_type.split(';').next().unwrap_or_default();
        let media = content.get(content_type).ok_or("an undocumented content type")?;
        if content_type != "application/json" {
            return Ok(());
        }
        self.validate(&media["schema"], &serde_json::from_slice(&answer.body).unwrap())
    }

    /// What is wrong with a message of a WebSocket, which a schema describes.
    pub(super) fn judge_message(&self, schema: &str, text: &str) -> Result<(), String> {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        self.validate(&schema, &serde_json::from_str(text).unwrap())
    }

    /// An error of no operation: an unknown path or method.
    pub(super) fn judge_error(&self, answer: &Answer) -> Result<(), String> {
        let schema = json!({"$ref": "#/components/schemas/ErrorResponse"});
        self.validate(&schema, &answer.json())
    }

    fn validate(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let whole = json!({"allOf": [schema], "components": self.0["components"]});
        let schema = jsonschema::options().should_validate_formats(true).build(&whole);
        let schema = schema.map_err(|error| error.to_string())?;
        let wrong: Vec<_> = schema.iter_errors(value).map(|error| error.to_string()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?} in {value}")) }
    }
}

/// Whether `path` is one that `template` describes.
fn fits(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted.starts_with('{') || wanted == found => (),
            _ => return false,
        }
    }
}

#[test]
fn a_template_describes_paths_of_its_shape_only() {
    assert!(fits("/status/{id}", "/status/7?after=1"));
    assert!(!fits("/status/{id}", "/status/7/events"));
    assert!(!fits("/status/{id}", "/status"));
    assert!(!fits("/ready", "/health"));
}
