//! `GET /openapi.json`: one document for the whole shop, generated from the handlers and from `contract`, and
//! served by every service. Beyond the specification's §5.1 it has the routes that §5.1 leaves out.
//!
//! Each service describes its own routes ([`utoipa::path`] beside each handler); here they are joined, each
//! with the server that answers it, and what is alike for all of them is added.

mod common;
mod version;

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use contract::process::port::{self, MANAGEMENT_OFFSET};
use utoipa::OpenApi;
use utoipa::openapi::{OpenApi as OpenApiDocument, Server, ServerBuilder};

use crate::kit::health;
use crate::kit::http::management;
use crate::kit::replay;
use crate::{gateway, inventory, order, payment, status};

/// What the specification says of the whole (§5.1).
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Event-Driven E-Commerce API",
        description = "Microservices API for order processing system",
        version = "1.0.0",
        contact(name = "API Support", email = "api-support@example.com"),
    ),
    tags(
        (name = "Orders", description = "Placing orders"),
        (name = "Status", description = "Following orders"),
        (name = "Inventory", description = "Stock levels"),
        (name = "Gateway", description = "The simulated payment gateway, an outside party"),
        (name = "Operations", description = "For who runs the services"),
    ),
    servers(
        (url = "http://localhost:8080", description = "Order Service"),
        (url = "http://localhost:8085", description = "Status Service"),
    ),
)]
struct Whole;

/// This route.
#[derive(OpenApi)]
#[openapi(paths(openapi_json))]
struct Document;

type Api = fn() -> OpenApiDocument;

/// The services by name and known port.
const SERVICES: [(&str, u16); 7] = [
    ("Order Service", port::ORDER),
    ("Status Service", port::STATUS),
    ("Inventory Service", port::INVENTORY),
    ("Payment Service", port::PAYMENT),
    ("Notification Service", port::NOTIFICATION),
    ("Shipping Service", port::SHIPPING),
    ("Payment Gateway", port::GATEWAY),
];

/// What one service serves and no other: at its known port, or beside it for management.
const OWN: [(u16, Api); 7] = [
    (port::ORDER, order::Api::openapi),
    (port::STATUS, status::Api::openapi),
    (port::INVENTORY, inventory::Api::openapi),
    (port::GATEWAY, gateway::Api::openapi),
    (port::STATUS + MANAGEMENT_OFFSET, status::ManagementApi::openapi),
    (port::PAYMENT + MANAGEMENT_OFFSET, payment::Api::openapi),
    (port::GATEWAY + MANAGEMENT_OFFSET, gateway::ManagementApi::openapi),
];

/// What all services serve at both doors, and at the one for management only.
const EVERYWHERE: [Api; 2] = [Document::openapi, health::Api::openapi];
const MANAGEMENT: [Api; 1] = [management::Api::openapi];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    // Serializing a document into memory has no way to fail.
    let document = serde_json::to_value(document()).unwrap_or_default();
    version::to_3_0(document).to_string().into()
});

fn document() -> OpenApiDocument {
    let (public, management) = doors();
    let all: Vec<Server> = public.iter().chain(&management).cloned().collect();
    let own = OWN.into_iter().map(|(port, api)| {
        let ours = all.iter().filter(|server| server.url.ends_with(&format!(":{port}")));
        part(api, &ours.cloned().collect::<Vec<_>>())
    });
    let everywhere = EVERYWHERE.into_iter().map(|api| part(api, &all));
    let inside = MANAGEMENT.into_iter().map(|api| part(api, &management));
    let gateway = format!(":{}", port::GATEWAY + MANAGEMENT_OFFSET);
    let with_state = management.iter().filter(|server| !server.url.ends_with(&gateway));
    let replay = part(replay::http::Api::openapi, &with_state.cloned().collect::<Vec<_>>());
    let parts = own.chain(everywhere).chain(inside).chain([replay]);
    let mut whole = parts.fold(Whole::openapi(), OpenApiDocument::merge_from);
    common::add_to_all(&mut whole);
    whole
}

/// One part, each of its paths with the servers that answer it.
fn part(api: Api, servers: &[Server]) -> OpenApiDocument {
    let mut part = api();
    for path in part.paths.paths.values_mut() {
        path.servers = Some(servers.to_vec());
    }
    part
}

/// The public doors and those for management, of all services.
fn doors() -> (Vec<Server>, Vec<Server>) {
    let server = |name: String, port: u16| {
        let url = format!("http://localhost:{port}");
        ServerBuilder::new().url(url).description(Some(name)).build()
    };
    let public = SERVICES.map(|(name, port)| server(name.to_owned(), port));
    let management = SERVICES
        .map(|(name, port)| server(format!("{name}, management"), port + MANAGEMENT_OFFSET));
    (public.into(), management.into())
}

/// The route that every service has.
pub(crate) fn routes() -> Router {
    Router::new().route("/openapi.json", get(openapi_json))
}

#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operations",
    summary = "Get this document",
    description = "Every service serves it, and it describes all of them",
    responses((status = 200, description = "OpenAPI 3.0", body = Object)),
)]
async fn openapi_json() -> impl IntoResponse {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], DOCUMENT.clone())
}
