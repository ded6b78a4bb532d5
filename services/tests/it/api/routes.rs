//! No route without its place in the document, and no place without a route.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::document::Document;
use crate::edge::child::Service;

/// The paths of all routes in a folder of sources, as they are handed to the router.
fn routes(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            routes(&path, found);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for rest in source.split(".route(").skip(1) {
            let literal = rest.trim_start().strip_prefix('"').expect("a route's path is a literal");
            found.insert(shape(literal.split('"').next().unwrap()));
        }
    }
}

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_document_has_every_route_and_no_other() {
    let gateway = Service::start(&["gateway", "--port", "0"]).await;
    let document = Document::of(gateway.address).await;
    let paths = document.json()["paths"].as_object().unwrap();
    let documented: BTreeSet<String> = paths.keys().map(|path| shape(path)).collect();
    let mut served = BTreeSet::new();
    routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut served);
    assert!(served.len() >= 10, "the search found only {served:?}");
    assert_eq!(documented, served);
}
