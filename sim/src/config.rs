//! What a setting is and how it is altered. `topic_config.rs` has the table of the topics' settings,
//! `broker_config.rs` that of the broker's.

use std::collections::BTreeMap;

use crate::error::ErrorCode;

/// The most bytes of one value: settings are kept for as long as the topic is.
const MAX_VALUE_BYTES: usize = 4_096;

/// Why a request is refused: the code, and a message for whoever sent it.
pub(crate) type Refusal = (ErrorCode, String);

/// Values that were given, by setting.
pub(crate) type Overrides = BTreeMap<&'static str, String>;

/// What values a setting takes. Ranges are inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    Boolean,
    Text,
    Integer(i64, i64),
    Long(i64, i64),
    Double(f64, f64),
    OneOf(&'static [&'static str]),
    /// Comma-separated; of anything where no words are named.
    List(&'static [&'static str]),
    Password,
}

impl Rule {
    /// Kafka's number for the type.
    pub(crate) fn kind(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text | Self::OneOf(_) => 2,
            Self::Integer(..) => 3,
            Self::Long(..) => 5,
            Self::Double(..) => 6,
            Self::List(_) => 7,
            Self::Password => 9,
        }
    }

    /// Checks a value and returns it as it is shown.
    ///
    /// # Errors
    /// INVALID_CONFIG.
    pub(crate) fn check(self, name: &str, value: &str) -> Result<String, Refusal> {
        let value = if self == Self::Password { value } else { value.trim() };
        let refuse = |why: String| {
            let message = format!("Invalid value {value} for configuration {name}: {why}");
            Err((ErrorCode::InvalidConfig, message))
        };
        if value.len() > MAX_VALUE_BYTES {
            let message = format!("Invalid value for configuration {name}: too long");
            return Err((ErrorCode::InvalidConfig, message));
        }
        match self {
            Self::Boolean => match value.to_ascii_lowercase().as_str() {
                sound @ ("true" | "false") => return Ok(sound.to_owned()),
                _ => return refuse("neither true nor false".to_owned()),
            },
            Self::Integer(least, most) | Self::Long(least, most) => match value.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => return Ok(number.to_string()),
                Ok(_) => return refuse(format!("not between {least} and {most}")),
                Err(_) => return refuse("not a number of this type".to_owned()),
            },
            Self::Double(least, most) => match value.parse::<f64>() {
                Ok(number) if (least..=most).contains(&number) => return Ok(format!("{number:?}")),
                _ => return refuse(format!("not a number between {least} and {most}")),
            },
            Self::OneOf(words) if !words.contains(&value) => {
                return refuse(format!("not one of {}", words.join(", ")));
            }
            Self::List(words) if !words.is_empty() => {
                if let Some(odd) = items(value).find(|item| !words.contains(item)) {
                    return refuse(format!("{odd} is not one of {}", words.join(", ")));
                }
            }
            Self::Text | Self::OneOf(_) | Self::List(_) | Self::Password => {}
        }
        Ok(value.to_owned())
    }
}

/// One change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Set(String),
    /// Back to the default.
    Delete,
    Append(String),
    Subtract(String),
}

/// A setting that may be altered.
pub(crate) struct Alterable {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    /// What holds without a value of its own: what a list is appended to.
    pub(crate) default: Option<String>,
}

/// Applies changes to what was given so far; all of them, or none.
///
/// # Errors
/// What `find` refuses, and values that do not fit.
pub(crate) fn alter(
    given: &Overrides,
    changes: &[(String, Operation)],
    find: impl Fn(&str) -> Result<Alterable, Refusal>,
) -> Result<Overrides, Refusal> {
    let mut altered = given.clone();
    for (name, operation) in changes {
        let setting = match find(name) {
            Ok(setting) => setting,
            // What does not exist is not given: there is nothing to delete.
            Err(_) if *operation == Operation::Delete => continue,
            Err(refusal) => return Err(refusal),
        };
        let is_list = matches!(setting.rule, Rule::List(_));
        let present = || {
            let value = altered.get(setting.name).or(setting.default.as_ref());
            value.map(String::as_str).unwrap_or_default().to_owned()
        };
        let value = match operation {
            Operation::Delete => {
                altered.remove(setting.name);
                continue;
            }
            Operation::Append(_) | Operation::Subtract(_) if !is_list => {
                let message = format!("{name} is not a list: only set and delete apply to it");
                return Err((ErrorCode::InvalidConfig, message));
            }
            Operation::Set(value) => value.clone(),
            Operation::Append(more) => {
                let before = present();
                let mut all: Vec<&str> = items(&before).collect();
                for item in items(more) {
                    if !all.contains(&item) {
                        all.push(item);
                    }
                }
                all.join(",")
            }
            Operation::Subtract(less) => {
                let before = present();
                let less: Vec<&str> = items(less).collect();
                let left: Vec<&str> = items(&before).filter(|item| !less.contains(item)).collect();
                left.join(",")
            }
        };
        altered.insert(setting.name, setting.rule.check(name, &value)?);
    }
    Ok(altered)
}

/// The items of a comma-separated list.
pub(crate) fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Where a value comes from, in Kafka's numbers; the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
}

/// One setting as it is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    /// None where there is none, or where it is a secret.
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
    pub(crate) read_only: bool,
    pub(crate) rule: Rule,
    pub(crate) documentation: &'static str,
    /// All places that name a value, the one that holds first.
    pub(crate) synonyms: Vec<Synonym>,
}

impl Shown {
    pub(crate) fn is_sensitive(&self) -> bool {
        self.rule == Rule::Password
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synonym {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<Alterable, Refusal> {
        let (name, rule) = match name {
            "list" => ("list", Rule::List(&["a", "b", "c"])),
            "number" => ("number", Rule::Long(-1, 10)),
            _ => return Err((ErrorCode::InvalidConfig, "unknown".to_owned())),
        };
        Ok(Alterable { name, rule, default: Some("a".to_owned()) })
    }

    fn altered(changes: &[(&str, Operation)]) -> Result<Overrides, ErrorCode> {
        let given = Overrides::from([("number", "3".to_owned())]);
        let changes: Vec<_> =
            changes.iter().map(|(name, op)| ((*name).to_owned(), op.clone())).collect();
        alter(&given, &changes, find).map_err(|(error, _)| error)
    }

    #[test]
    fn changes_are_applied_in_order() {
        use Operation::{Append, Delete, Set, Subtract};
        let text = str::to_owned;
        let list = |ops: &[Operation]| {
            let changes: Vec<_> = ops.iter().map(|op| ("list", op.clone())).collect();
            altered(&changes).map(|all| all.get("list").cloned().unwrap_or_default())
        };
        assert_eq!(list(&[Append(text("b, a"))]), Ok(text("a,b")), "the default is appended to");
        assert_eq!(list(&[Set(text("c")), Append(text("b"))]), Ok(text("c,b")));
        assert_eq!(list(&[Set(text("a,b,c")), Subtract(text("b,a"))]), Ok(text("c")));
        assert_eq!(list(&[Set(text("c")), Delete]), Ok(text("")));
        assert_eq!(list(&[Append(text("d"))]), Err(ErrorCode::InvalidConfig));
        assert_eq!(altered(&[("number", Append(text("1")))]), Err(ErrorCode::InvalidConfig));
        assert_eq!(altered(&[("number", Set(text("11")))]), Err(ErrorCode::InvalidConfig));
        assert_eq!(altered(&[("other", Set(text("1")))]), Err(ErrorCode::InvalidConfig));
        assert!(altered(&[("other", Delete)]).is_ok());
        assert_eq!(altered(&[("number", Delete)]), Ok(Overrides::new()));
    }

    #[test]
    fn values_are_checked_by_their_rule() {
        for (rule, value, expected) in [
            (Rule::Boolean, "TRUE", Some("true")),
            (Rule::Boolean, "yes", None),
            (Rule::Integer(0, 5), " 5 ", Some("5")),
            (Rule::Integer(0, 5), "6", None),
            (Rule::Double(0.0, 1.0), "0.5", Some("0.5")),
            (Rule::Double(0.0, 1.0), "NaN", None),
            (Rule::OneOf(&["x"]), "x", Some("x")),
            (Rule::OneOf(&["x"]), "X", None),
            (Rule::List(&[]), "anything,at all", Some("anything,at all")),
            (Rule::Text, &"x".repeat(MAX_VALUE_BYTES + 1), None),
        ] {
            let checked = rule.check("name", value).ok();
            assert_eq!(checked.as_deref(), expected, "{rule:?} {value}");
        }
    }
}
