use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use super::*;

fn env() -> BTreeMap<String, String> {
    [("HOST".to_owned(), "shop:8080".to_owned())].into()
}

fn read(text: &str, escape: Escape) -> Result<Template, String> {
    let captured = ["order_id".to_owned(), "token".to_owned()];
    parse(text, escape, Names { env: Some(&env()), captured: &captured })
}

fn rendered_with(template: &Template, captured: &[String]) -> String {
    let rng = RefCell::new(SmallRng::seed_from_u64(7));
    let next = Cell::new(0);
    let sequence = || next.replace(next.get() + 1) + 1;
    let source = Source { rng: &rng, sequence: &sequence };
    template.text(&Scope { source, iteration: 41, virtual_user: 3, captured })
}

fn rendered(text: &str, escape: Escape) -> String {
    let captured = ["a b/\"c\"".to_owned(), "t\r\nX: y".to_owned()];
    rendered_with(&read(text, escape).unwrap(), &captured)
}

#[test]
fn placeholders_become_what_they_stand_for() {
    let plain = |text| rendered(text, Escape::Nothing);
    assert_eq!(plain("no placeholder"), "no placeholder");
    assert_eq!(plain("http://${env.HOST}/${ order_id }"), "http://shop:8080/a b/\"c\"");
    assert_eq!(plain("${seq}-${seq}-${iteration}-${vu}"), "1-2-41-3");
    assert_eq!(plain("$${seq} costs $5 and $${"), "${seq} costs $5 and ${");
    assert!((1..=5).contains(&plain("${random(1,5)}").parse::<i64>().unwrap()));
    assert!(["red", "green"].contains(&plain("${choice(red, green)}").as_str()));
    let word = plain("${letters(12)}${hex(4)}");
    assert!(word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{word}");
    let uuid: uuid::Uuid = plain("${uuid}").parse().unwrap();
    assert_eq!(uuid.get_version_num(), 4);
    assert!(plain("${now}").parse::<u64>().unwrap() > 1_700_000_000_000);
    assert!(plain("${timestamp}").ends_with('Z'));
}

#[test]
fn a_value_cannot_break_out_of_its_place() {
    assert_eq!(rendered("/x/${order_id}", Escape::Url), "/x/a%20b/%22c%22");
    assert_eq!(rendered("${token}", Escape::Header), "tX: y");
    let body = rendered("{\"id\":\"${order_id}\"}", Escape::Nothing);
    assert_eq!(body, "{\"id\":\"a b/\"c\"\"}", "a text body is the user's own");
}

#[test]
fn a_json_body_is_json_whatever_was_captured() {
    let document = json!({
        "id": "${order_id}", "note": "say \"${token}\"", "count": "${random(2,2)}", "seq": ["${seq}", 1.5, null],
        "text": "n${seq}", "quote\"": true,
    });
    let captured = ["order_id".to_owned(), "token".to_owned()];
    let names = Names { env: Some(&env()), captured: &captured };
    let template = parse_json(&document, names).unwrap();
    let values = ["a\"b".to_owned(), "line\nbreak\\".to_owned()];
    let body: Value = serde_json::from_str(&rendered_with(&template, &values)).unwrap();
    let expected = json!({
        "id": "a\"b", "note": "say \"line\nbreak\\\"", "count": 2, "seq": [1, 1.5, null], "text": "n2", "quote\"": true,
    });
    assert_eq!(body["id"], expected["id"]);
    assert_eq!(body["note"], expected["note"]);
    assert_eq!(body["count"], expected["count"]);
    assert!(body["quote\""].is_boolean() && body["seq"][0].is_number());
    assert!(body["text"].as_str().unwrap().starts_with('n'));
}

#[test]
fn what_is_wrong_is_said() {
    let error = |text: &str| read(text, Escape::Nothing).unwrap_err();
    insta::assert_snapshot!(
        [
            "${uuid", "${uid}", "${order}", "${random(5,1)}", "${random(1)}", "${random(a,2)}", "${choice()}",
            "${letters(0)}", "${hex()}", "${rand(1,2)}", "${random(1,2}", "${env.HOSTS}",
        ]
        .map(error)
        .join("\n"),
        @r#"
    `${` without its `}` in "${uuid"; write `$${` where a plain `${` is meant
    nothing is known as `${uid}`: no earlier step captures it; did you mean "uuid"?
    nothing is known as `${order}`: no earlier step captures it; did you mean "order_id"?
    `random(5,1)` must name the smaller number first
    `random` takes two numbers, like `${random(1,5)}`
    "a" in `random` is no whole number
    `choice` takes words, like `${choice(red,green)}`
    `letters(0)` must name a length from 1 to 1024
    `hex()` must name a length from 1 to 1024
    there is no `rand(…)`: use random, choice, letters, hex; did you mean "random"?
    `${random(1,2}` lacks its closing parenthesis
    env has no "HOSTS": name it in `env` or give `-e HOSTS=VALUE`; did you mean "HOST"?
    "#
    );
    assert!(parse("${env.ANY}", Escape::Nothing, Names { env: None, captured: &[] }).is_ok());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\$|\\{|\\}|[a-z(),.0-9 ]){0,40}") {
        if let Ok(template) = read(&text, Escape::Json) {
            rendered_with(&template, &[String::new(), String::new()]);
        }
    }

    #[test]
    fn captured_values_stay_within_their_json_string(value in any::<String>()) {
        let template = parse_json(&json!({ "v": "<${order_id}>" }), Names { env: None, captured: &["order_id".to_owned()] }).unwrap();
        let body: Value = serde_json::from_str(&rendered_with(&template, std::slice::from_ref(&value))).unwrap();
        prop_assert_eq!(body, json!({ "v": format!("<{value}>") }));
    }
}
