//! What is alike for all routes: errors that any of them may answer, and the headers of limits and errors.

use utoipa::PartialSchema;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

/// Extension of an operation behind a token bucket; its value says how many requests are allowed.
const RATE_LIMIT: &str = "x-rate-limit";

/// What any route may answer.
const ALWAYS_POSSIBLE: [(&str, &str); 3] = [
    ("429", "More connections at once from one client address than are allowed"),
    ("500", "Internal server error"),
    ("503", "No answer within 10 s: the request can be sent again"),
];

/// On every answer of a limited route.
const LIMITS: [(&str, &str); 3] = [
    ("X-RateLimit-Limit", "Requests that a full bucket allows"),
    ("X-RateLimit-Remaining", "Requests that are left"),
    ("X-RateLimit-Reset", "Seconds until the bucket is full again"),
];

/// On every answer that says when to come again.
const RETRY_AFTER: (&str, &str) = ("Retry-After", "Seconds after which to try again");
const WITH_RETRY_AFTER: [&str; 2] = ["429", "503"];

pub(super) fn add_to_all(document: &mut OpenApi) {
    document.paths.paths.values_mut().flat_map(operations).for_each(complete);
    let headers = &mut document.components.get_or_insert_default().headers;
    for (name, description) in LIMITS.into_iter().chain([RETRY_AFTER]) {
        headers.insert(name.to_owned(), whole_number(description).into());
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post].into_iter().filter_map(Option::as_mut)
}

fn complete(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, description) in ALWAYS_POSSIBLE {
        responses.entry(status.to_owned()).or_insert_with(|| error(description).into());
    }
    let is_limited =
        operation.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(RATE_LIMIT));
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let limits = LIMITS.iter().filter(|_| is_limited);
        let again = WITH_RETRY_AFTER.contains(&status.as_str()).then_some(&RETRY_AFTER);
        for (name, _) in limits.chain(again) {
            let header = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert((*name).to_owned(), RefOr::Ref(header));
        }
    }
}

fn error(description: &str) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorResponse"))).build();
    ResponseBuilder::new().description(description).content("application/json", body).build()
}

fn whole_number(description: &str) -> Header {
    HeaderBuilder::new().schema(Some(u64::schema())).description(Some(description)).build()
}
