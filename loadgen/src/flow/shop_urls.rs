//! The shop's URLs under names that texts of generic flows can look up: `${env.ORDER_URL}`.

use std::collections::BTreeMap;

use super::Targets;

/// Each name, and the URL that it stands for.
type Url = (&'static str, fn(&Targets) -> Option<String>);

const URLS: [Url; 4] = [
    ("ORDER_URL", |targets| targets.order.first().cloned()),
    ("STATUS_URL", |targets| targets.status.first().cloned()),
    ("INVENTORY_URL", |targets| targets.inventory.first().cloned()),
    ("STATUS_WS_URL", |targets| targets.status.first().map(|url| url.replacen("http", "ws", 1))),
];

/// Whether a text looks one of them up.
pub(super) fn mentions(text: &str) -> bool {
    URLS.iter().any(|(name, _)| text.contains(&format!("env.{name}")))
}

/// `env` with the names that it does not have itself.
pub(crate) fn with(env: &BTreeMap<String, String>, targets: &Targets) -> BTreeMap<String, String> {
    let mut all = env.clone();
    for (name, url) in URLS {
        if let Some(url) = url(targets) {
            all.entry(name.to_owned()).or_insert(url);
        }
    }
    all
}
