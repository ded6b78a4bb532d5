//! Reading texts with placeholders.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Escape, Piece, Placeholder, Template};
use crate::scenario::suggest::did_you_mean;

/// A word's length that no service wants to exceed.
const LONGEST_WORD: u32 = 1024;
/// Words of one choice.
const MOST_CHOICES: usize = 256;

/// The placeholders without arguments.
const PLAIN: [(&str, Placeholder); 6] = [
    ("uuid", Placeholder::Uuid),
    ("seq", Placeholder::Sequence),
    ("iteration", Placeholder::Iteration),
    ("vu", Placeholder::VirtualUser),
    ("now", Placeholder::Now),
    ("timestamp", Placeholder::Timestamp),
];
/// And those with arguments.
const CALLS: [&str; 4] = ["random", "choice", "letters", "hex"];

/// What a text may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// `None` while nobody knows it yet: any name will do then.
    pub(crate) env: Option<&'a BTreeMap<String, String>>,
    /// Names of what earlier steps capture; a value's number is its place.
    pub(crate) captured: &'a [String],
}

/// Reads a text.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(text: &str, escape: Escape, names: Names<'_>) -> Result<Template, String> {
    let mut template = Template { pieces: Vec::new() };
    parse_into(&mut template, text, escape, names)?;
    Ok(template)
}

/// Reads a JSON document in whose strings placeholders may stand. A string that is nothing but one placeholder
/// for a number becomes that number.
///
/// # Errors
/// What is wrong with one of its strings.
pub(crate) fn parse_json(value: &Value, names: Names<'_>) -> Result<Template, String> {
    let mut template = Template { pieces: Vec::new() };
    json_into(&mut template, value, names)?;
    Ok(template)
}

/// Reads the fields of a form.
///
/// # Errors
/// What is wrong with a name or a value.
pub(crate) fn parse_form(
    fields: &[(String, String)],
    names: Names<'_>,
) -> Result<Template, String> {
    let mut template = Template { pieces: Vec::new() };
    for (at, (name, value)) in fields.iter().enumerate() {
        template.push_text(if at == 0 { "" } else { "&" });
        parse_into(&mut template, name, Escape::Form, names)?;
        template.push_text("=");
        parse_into(&mut template, value, Escape::Form, names)?;
    }
    Ok(template)
}

fn parse_into(
    template: &mut Template,
    text: &str,
    escape: Escape,
    names: Names<'_>,
) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let before = &rest[..at];
        if let Some(before) = before.strip_suffix('$') {
            push_escaped(template, before, escape);
            push_escaped(template, "${", escape);
            rest = &rest[at + 2..];
            continue;
        }
        push_escaped(template, before, escape);
        let inside = &rest[at + 2..];
        let end = inside.find('}').ok_or_else(|| {
            format!("`${{` without its `}}` in {text:?}; write `$${{` where a plain `${{` is meant")
        })?;
        let name = inside[..end].trim();
        match name.strip_prefix("env.") {
            Some(name) => {
                if let Some(env) = names.env {
                    push_escaped(template, look_up(name, env)?, escape);
                }
            }
            None => template.pieces.push(Piece::Value(placeholder(name, names)?, escape)),
        }
        rest = &inside[end + 1..];
    }
    push_escaped(template, rest, escape);
    Ok(())
}

fn push_escaped(template: &mut Template, text: &str, escape: Escape) {
    // What the file says stands as it is, but where it would end a string or a field.
    if matches!(escape, Escape::Json | Escape::Form) {
        template.push_text(super::render::escaped(text, escape).as_ref());
    } else {
        template.push_text(text);
    }
}

fn look_up<'a>(name: &str, env: &'a BTreeMap<String, String>) -> Result<&'a str, String> {
    env.get(name).map(String::as_str).ok_or_else(|| {
        let hint = did_you_mean(name, env.keys().map(String::as_str));
        format!("env has no {name:?}: name it in `env` or give `-e {name}=VALUE`{hint}")
    })
}

fn placeholder(name: &str, names: Names<'_>) -> Result<Placeholder, String> {
    if let Some((_, plain)) = PLAIN.iter().find(|(plain, _)| *plain == name) {
        return Ok(plain.clone());
    }
    if let Some((call, arguments)) = name.split_once('(') {
        let arguments = arguments
            .strip_suffix(')')
            .ok_or_else(|| format!("`${{{name}}}` lacks its closing parenthesis"))?;
        return function(call.trim(), arguments);
    }
    if let Some(at) = names.captured.iter().position(|captured| captured == name) {
        return Ok(Placeholder::Captured(at));
    }
    let known = PLAIN.iter().map(|(plain, _)| *plain).chain(CALLS);
    let hint = did_you_mean(name, known.chain(names.captured.iter().map(String::as_str)));
    Err(format!("nothing is known as `${{{name}}}`: no earlier step captures it{hint}"))
}

fn function(call: &str, arguments: &str) -> Result<Placeholder, String> {
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    match (call, arguments.as_slice()) {
        ("random", [from, to]) => {
            let number = |text: &str| {
                text.parse::<i64>().map_err(|_| format!("{text:?} in `random` is no whole number"))
            };
            let (from, to) = (number(from)?, number(to)?);
            if from > to {
                return Err(format!("`random({from},{to})` must name the smaller number first"));
            }
            Ok(Placeholder::Random { from, to })
        }
        ("random", _) => Err("`random` takes two numbers, like `${random(1,5)}`".into()),
        ("choice", [""]) => Err("`choice` takes words, like `${choice(red,green)}`".into()),
        ("choice", words) if words.len() > MOST_CHOICES => {
            Err(format!("`choice` takes at most {MOST_CHOICES} words"))
        }
        ("choice", words) => {
            Ok(Placeholder::Choice(words.iter().map(|word| (*word).into()).collect()))
        }
        ("letters", [count]) => length(call, count).map(Placeholder::Letters),
        ("hex", [count]) => length(call, count).map(Placeholder::Hex),
        ("letters" | "hex", _) => Err(format!("`{call}` takes one number, like `${{{call}(8)}}`")),
        _ => {
            let hint = did_you_mean(call, CALLS);
            Err(format!("there is no `{call}(…)`: use {}{hint}", CALLS.join(", ")))
        }
    }
}

fn length(call: &str, text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=LONGEST_WORD).contains(count));
    count.ok_or_else(|| format!("`{call}({text})` must name a length from 1 to {LONGEST_WORD}"))
}

fn json_into(template: &mut Template, value: &Value, names: Names<'_>) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if let Some(number) = number(text, names)? {
                template.pieces.push(Piece::Value(number, Escape::Nothing));
                return Ok(());
            }
            template.push_text("\"");
            parse_into(template, text, Escape::Json, names)?;
            template.push_text("\"");
        }
        Value::Array(items) => {
            template.push_text("[");
            for (at, item) in items.iter().enumerate() {
                template.push_text(if at == 0 { "" } else { "," });
                json_into(template, item, names)?;
            }
            template.push_text("]");
        }
        Value::Object(members) => {
            template.push_text("{");
            for (at, (name, member)) in members.iter().enumerate() {
                template.push_text(if at == 0 { "" } else { "," });
                template.push_text(&Value::from(name.as_str()).to_string());
                template.push_text(":");
                json_into(template, member, names)?;
            }
            template.push_text("}");
        }
        plain => template.push_text(&plain.to_string()),
    }
    Ok(())
}

/// The placeholder, where a text is nothing but one and stands for a number.
fn number(text: &str, names: Names<'_>) -> Result<Option<Placeholder>, String> {
    let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = inside.filter(|name| !name.contains(['{', '}']) && !name.starts_with("env."))
    else {
        return Ok(None);
    };
    let placeholder = placeholder(name.trim(), names)?;
    let is_number = matches!(
        placeholder,
        Placeholder::Random { .. }
            | Placeholder::Sequence
            | Placeholder::Iteration
            | Placeholder::VirtualUser
            | Placeholder::Now
    );
    Ok(is_number.then_some(placeholder))
}
