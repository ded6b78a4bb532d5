//! The grammar of thresholds.
//!
//! ```text
//! expression  ::= aggregation [ "[" duration "]" ] ws operator ws limit
//! aggregation ::= "avg" | "min" | "med" | "max" | "count" | "rate" | "value" | "p(" number ")"
//! operator    ::= "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
//! limit       ::= number [ "%" ]
//! selector    ::= name [ "{" tag ":" value { "," tag ":" value } "}" ]
//! value       ::= text without "," or quotes | quoted text without its quote
//! ws          ::= any blanks, also around "," and ":" of a selector
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Aggregation, Expression, Operator, ParseError, duration};

/// The longest window: beyond, it says no more than the whole load.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

/// Reads an expression such as `p(95)<200`.
///
/// # Errors
/// Says which of the parts is wrong, and what it may be.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    let at = text
        .find(['<', '>', '=', '!'])
        .ok_or_else(|| ParseError::Operator(text.trim().to_owned()))?;
    let (aggregation, rest) = text.split_at(at);
    let (operator, limit) = Operator::ALL
        .into_iter()
        .find_map(|(token, operator)| Some((operator, rest.strip_prefix(token)?)))
        .ok_or_else(|| ParseError::Operator(text.trim().to_owned()))?;
    let (aggregation, window) = match aggregation.split_once('[') {
        Some((aggregation, window)) => (aggregation, Some(parse_window(window)?)),
        None => (aggregation, None),
    };
    let aggregation = parse_aggregation(aggregation.trim())?;
    if window.is_some() && operator == Operator::NotEqual {
        return Err(ParseError::WindowNot);
    }
    let limit = limit.trim();
    let (digits, of_plan) = match limit.strip_suffix('%') {
        Some(digits) => (digits.trim_end(), true),
        None => (limit, false),
    };
    let limit = number(digits).ok_or_else(|| ParseError::Limit(limit.to_owned()))?;
    Ok(Expression { aggregation, window, operator, limit, of_plan })
}

/// What stands behind the opening bracket.
fn parse_window(text: &str) -> Result<Duration, ParseError> {
    let text = text.trim();
    let inner = text.strip_suffix(']').unwrap_or(text);
    let wrong = || ParseError::Window(inner.to_owned());
    let window = duration::parse(inner.trim()).map_err(|_| wrong())?;
    let whole = window.subsec_nanos() == 0 && !window.is_zero() && window <= LONGEST_WINDOW;
    (whole && text.ends_with(']')).then_some(window).ok_or_else(wrong)
}

fn parse_aggregation(text: &str) -> Result<Aggregation, ParseError> {
    Ok(match text {
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "med" => Aggregation::Med,
        "max" => Aggregation::Max,
        "count" => Aggregation::Count,
        "rate" => Aggregation::Rate,
        "value" => Aggregation::Value,
        _ => {
            let inner = text
                .strip_prefix("p(")
                .and_then(|rest| rest.strip_suffix(')'))
                .ok_or_else(|| ParseError::Aggregation(text.to_owned()))?
                .trim();
            number(inner)
                .filter(|percentile| (0.0..=100.0).contains(percentile))
                .map(Aggregation::Percentile)
                .ok_or_else(|| ParseError::Percentile(inner.to_owned()))?
        }
    })
}

/// Rust also reads words such as `inf` and `nan`, which no limit should be.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads `name` or `name{tag:value,tag2:value2}`.
///
/// # Errors
/// When the braces, a name, a tag or a value are missing, or a tag stands twice.
pub fn parse_metric(text: &str) -> Result<(String, BTreeMap<String, String>), ParseError> {
    let wrong = || ParseError::Selector(text.to_owned());
    let trimmed = text.trim();
    let (name, tags) = match trimmed.split_once('{') {
        None => (trimmed, ""),
        Some((name, rest)) => {
            let inner = rest.strip_suffix('}').ok_or_else(wrong)?.trim();
            (name.trim(), Some(inner).filter(|inner| !inner.is_empty()).ok_or_else(wrong)?)
        }
    };
    if name.is_empty() || name.contains(['}', ',', ':', '"', '\'']) {
        return Err(wrong());
    }
    let mut parsed = BTreeMap::new();
    let mut rest = tags;
    while !rest.is_empty() {
        let (tag, value, after) = parse_tag(rest).ok_or_else(wrong)?;
        if parsed.insert(tag, value).is_some() {
            return Err(wrong());
        }
        rest = after;
    }
    Ok((name.to_owned(), parsed))
}

/// One `tag:value` and what follows its comma. `None` when it is malformed.
fn parse_tag(text: &str) -> Option<(String, String, &str)> {
    let (tag, rest) = text.split_once(':')?;
    let (tag, rest) = (tag.trim(), rest.trim_start());
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let (value, rest) = match quote {
        Some(quote) => rest[1..].split_once(quote)?,
        None => {
            let end = rest.find(',').unwrap_or(rest.len());
            (rest[..end].trim(), &rest[end..])
        }
    };
    let forbidden = |text: &str| text.is_empty() || text.contains([',', '{', '}', ':', '"', '\'']);
    // As in k6, a value may contain colons and braces (`url:http://shop/${}`): the first colon separates.
    if forbidden(tag) || (quote.is_none() && forbidden(&value.replace([':', '{', '}'], "_"))) {
        return None;
    }
    let rest = rest.trim_start();
    let after = if rest.is_empty() { rest } else { rest.strip_prefix(',')?.trim_start() };
    // A comma promises another tag.
    let dangling = after.is_empty() && !rest.is_empty();
    (!dangling).then(|| (tag.to_owned(), value.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Threshold;
    use super::*;

    fn error(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn reads_what_k6_reads() {
        let p95 = parse(" p(95) < 200 ").expect("blanks are allowed");
        assert_eq!(p95.to_string(), "p(95)<200");
        for text in ["rate>=99%", "p(95)[30s]<200", "rate[1m30s]>=95.5%", "count[10s]==0"] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
        for text in ["avg<=1.5", "count==0", "rate===0.999", "value!=3", "p(99.9)>0", "med>=-1"] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(error("p(101)<1"), "a percentile lies between 0 and 100, not `101`");
        assert_eq!(error("p95<1"), ParseError::Aggregation("p95".into()).to_string());
        assert_eq!(error("avg 200"), ParseError::Operator("avg 200".into()).to_string());
        assert_eq!(error("avg=200"), ParseError::Operator("avg=200".into()).to_string());
        assert_eq!(error("avg<fast"), "the limit `fast` is no number");
        assert_eq!(error("avg<inf"), "the limit `inf` is no number");
        let window = "`[30]` is no window: write whole seconds, from [1s] to [1h]";
        assert_eq!(error("p(95)[30]<1"), window);
        for wrong in ["p(95)[500ms]<1", "p(95)[2h]<1", "p(95)[0s]<1", "p(95)[30s<1", "p(95)[]<1"] {
            assert!(error(wrong).contains("is no window"), "{wrong}: {}", error(wrong));
        }
        assert_eq!(error("rate[1s]!=1"), ParseError::WindowNot.to_string());
        for (selector, expression, told) in [
            ("ws_open", "p(95)<1", "a gauge has no `p(95)`: use value, min or max"),
            (
                "ws_open",
                "max[10s]<1",
                "a gauge has no windows: judge its `max` or `min` over the whole load",
            ),
            ("iterations", "count>99%", "the limit `99%` is no number"),
            (
                "http_reqs",
                "rate>99%",
                "http_reqs has no planned rate, so its limit cannot be a percentage: only `iterations` has one",
            ),
        ] {
            let error = Threshold::new(selector, expression).expect_err(expression);
            assert_eq!(error.to_string(), told);
        }
        let share = Threshold::new("checks", "rate>=99.5%").expect("a share");
        assert_eq!(share.expression.to_string(), "rate>=0.995");
    }

    #[test]
    fn reads_selectors() {
        let (name, tags) = parse_metric("http_reqs{ name:order , url:\"a:b,c\" }").expect("valid");
        assert_eq!(name, "http_reqs");
        assert_eq!(tags["name"], "order");
        assert_eq!(tags["url"], "a:b,c");
        let (_, tags) = parse_metric("m{url:http://shop/${id},group:::a}").expect("as in k6");
        assert_eq!((tags["url"].as_str(), tags["group"].as_str()), ("http://shop/${id}", "::a"));
        for wrong in ["", "{a:b}", "m{", "m{}", "m{a}", "m{a:}", "m{a:b", "m{a:b,}", "m{a:b,a:c}"] {
            assert!(parse_metric(wrong).is_err(), "{wrong}");
        }
    }

    fn aggregations() -> impl Strategy<Value = Aggregation> {
        prop_oneof![
            Just(Aggregation::Avg),
            Just(Aggregation::Min),
            Just(Aggregation::Max),
            Just(Aggregation::Med),
            Just(Aggregation::Count),
            Just(Aggregation::Rate),
            Just(Aggregation::Value),
            (0.0..=100.0).prop_map(Aggregation::Percentile),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            aggregation in aggregations(),
            seconds in proptest::option::of(1_u64..3600),
            nth in 0_usize..6,
            limit in -1e12..1e12_f64,
            of_plan in any::<bool>(),
        ) {
            let operator = Operator::ALL.into_iter().map(|(_, operator)| operator);
            let operator = operator.filter(|it| *it != Operator::NotEqual).nth(nth);
            let (operator, window) = (operator.expect("six"), seconds.map(Duration::from_secs));
            let expression = Expression { aggregation, window, operator, limit, of_plan };
            prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
        }

        #[test]
        fn selectors_read_back(
            metric in "[a-z_]{1,12}",
            tags in proptest::collection::btree_map("[a-z]{1,6}", "[a-z :,{}']{0,8}", 0..4),
        ) {
            let plain = Threshold::new("m", "count>0").expect("valid");
            let threshold = Threshold { metric: metric.clone(), tags: tags.clone(), ..plain };
            prop_assert_eq!(parse_metric(&threshold.selector()), Ok((metric, tags)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = parse(&text);
            let _ = parse_metric(&text);
        }
    }
}
