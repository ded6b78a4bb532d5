//! `include = ["common.toml"]`: a shared part of several scenario files, for the whole file or for one phase.
//!
//! A name is a file, relative to the file that names it, or else a scenario that ships. What wins: the file's own
//! keys over what it includes, a later include over an earlier one. Tables are merged key by key; everything else,
//! arrays too, is replaced whole.

use std::path::{Path, PathBuf};

use super::reader::{ScenarioError, Section};
use super::shipped;
use super::source::Source;
use super::value::{Entry, Located, Table, Value};

const KEY: &str = "include";
/// More files than this are a mistake.
const MOST_FILES: usize = 64;
/// Likewise a longer file.
const LARGEST_FILE: u64 = 1 << 20;

/// Reads a scenario with all that it includes. `path` is its file, if it has one.
pub(super) fn section(text: &str, path: Option<&Path>) -> Result<Section, Vec<ScenarioError>> {
    let mut reading = Reading { source: Source::default(), files: 1 };
    let own = match path {
        Some(path) => Place::File(path.to_owned()),
        None => Place::Shipped(String::new()),
    };
    let table = reading.source.add(None, text)?;
    let table = reading.file(table, &[own])?;
    Ok(Section::whole(reading.source, table))
}

/// Reads a scenario's file, unless it is too large to be one.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST_FILE {
        return Err(format!("{size} bytes are too many for a scenario"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Shipped(String),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Shipped(name) if name.is_empty() => "this scenario".to_owned(),
            Self::Shipped(name) => name.clone(),
        }
    }

    /// Where `name` leads from here.
    fn find(&self, name: &str) -> Option<Self> {
        let file = match self {
            Self::File(path) => Some(path.parent().unwrap_or(Path::new("")).join(name)),
            Self::Shipped(_) => None,
        };
        let file = file.filter(|path| path.is_file()).map(Self::File);
        file.or_else(|| shipped(name).map(|_| Self::Shipped(name.to_owned())))
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            // `a.toml` and `./a.toml` are one file.
            (Self::File(a), Self::File(b)) => match (a.canonicalize(), b.canonicalize()) {
                (Ok(a), Ok(b)) => a == b,
                _ => a == b,
            },
            _ => self == other,
        }
    }

    fn text(&self) -> Result<String, String> {
        match self {
            Self::File(path) => read(path),
            Self::Shipped(name) => {
                shipped(name).map(str::to_owned).ok_or_else(|| "it does not ship".to_owned())
            }
        }
    }
}

struct Reading {
    source: Source,
    files: usize,
}

impl Reading {
    /// What a file comes to. `chain` leads from the scenario's own file to this one.
    fn file(&mut self, mut table: Table, chain: &[Place]) -> Result<Table, Vec<ScenarioError>> {
        let phases = table.0.iter_mut().find(|entry| entry.key == "phases");
        if let Some(Entry { located: Located { value: Value::Array(phases), .. }, .. }) = phases {
            for phase in phases {
                if let Value::Table(own) = &mut phase.value {
                    *own = self.expand(std::mem::take(own), chain)?;
                }
            }
        }
        self.expand(table, chain)
    }

    /// A table on top of what it includes.
    fn expand(&mut self, mut table: Table, chain: &[Place]) -> Result<Table, Vec<ScenarioError>> {
        let Some(include) = table.take(KEY) else { return Ok(table) };
        let names = match include.located.value {
            Value::Array(names) => names,
            _ => vec![include.located],
        };
        let mut merged = Table::default();
        for name in names {
            merged.merge(self.included(&name, chain)?);
        }
        merged.merge(table);
        Ok(merged)
    }

    fn included(&mut self, name: &Located, chain: &[Place]) -> Result<Table, Vec<ScenarioError>> {
        let refuse = |source: &Source, message: String| {
            Err(vec![source.locate(&name.span, KEY.to_owned(), message)])
        };
        let Value::Text(text) = &name.value else {
            let message = "expected names of files, like [\"common.toml\"]".to_owned();
            return refuse(&self.source, message);
        };
        let ways: Vec<String> = chain.iter().map(Place::name).collect();
        let way = ways.join(" → ");
        let Some(place) = chain.last().and_then(|last| last.find(text)) else {
            let message = format!(
                "there is no file {text:?} beside it, and no such scenario ships ({way} → {text})"
            );
            return refuse(&self.source, message);
        };
        if chain.iter().any(|before| before.is_same(&place)) {
            return refuse(&self.source, format!("includes itself: {way} → {text}"));
        }
        self.files += 1;
        if self.files > MOST_FILES {
            return refuse(&self.source, format!("more than {MOST_FILES} files are included"));
        }
        let included = match place.text() {
            Ok(included) => included,
            Err(error) => {
                return refuse(
                    &self.source,
                    format!("cannot read {text:?}: {error} ({way} → {text})"),
                );
            }
        };
        let table = self.source.add(Some(place.name()), &included)?;
        self.file(table, &[chain, &[place]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Executor, ScenarioFile, load};

    const COMMON: &str = r#"
[shop]
declineRate = 0.1
stock = { product-1 = 5 }
[scenarios.orders]
executor = "constant-arrival-rate"
exec = "place-order"
rate = 30
duration = "1m"
preAllocatedVUs = 10
[thresholds]
checks = ["rate==1"]
http_req_failed = ["rate==0"]
"#;

    fn read_all(files: &[(&str, &str)]) -> Result<ScenarioFile, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        load(&folder.path().join(files[0].0)).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            lines.join("\n").replace(&format!("{}/", folder.path().display()), "")
        })
    }

    #[test]
    fn a_files_own_keys_win_over_what_it_includes() {
        let own = "name = \"own\"\ninclude = [\"common.toml\"]\n[scenarios.orders]\nrate = 99\n[thresholds]\nchecks = [\"rate>0.9\"]";
        let file = read_all(&[("own.toml", own), ("common.toml", COMMON)]).unwrap();
        let phase = &file.phases[0];
        let Executor::ConstantArrivalRate { rate, duration, .. } = &phase.scenarios[0].executor
        else {
            panic!("{phase:?}")
        };
        assert_eq!((*rate, duration.as_secs()), (99.0, 60));
        let thresholds: Vec<_> =
            phase.thresholds.iter().map(|it| it.expression.to_string()).collect();
        assert_eq!(thresholds, ["rate>0.9", "rate==0"]);
        assert!(phase.extra.shop.is_some());
    }

    #[test]
    fn a_phase_includes_too_and_later_wins_over_earlier() {
        let own = "name = \"own\"\n[[phases]]\nname = \"a\"\ninclude = [\"common.toml\", \"more.toml\"]\n\
                   [[phases]]\nname = \"b\"\ninclude = \"common.toml\"\n";
        let more = "include = [\"last.toml\"]\n[scenarios.orders]\nrate = 7";
        let last = "[scenarios.orders]\nrate = 5\nduration = \"9s\"";
        let files =
            [("own.toml", own), ("common.toml", COMMON), ("more.toml", more), ("last.toml", last)];
        let file = read_all(&files).unwrap();
        let rates: Vec<_> = file
            .phases
            .iter()
            .map(|phase| phase.scenarios[0].executor.target_rate(std::time::Duration::ZERO))
            .collect();
        assert_eq!(rates, [Some(7.0), Some(30.0)]);
        assert_eq!(file.phases[0].load_duration().as_secs(), 9);
    }

    #[test]
    fn what_ships_can_be_included() {
        let file = read_all(&[("own.toml", "name = \"own\"\ninclude = [\"flash-sale\"]")]).unwrap();
        assert_eq!((file.name.as_str(), file.phases[0].name.as_str()), ("own", "own"));
        assert_eq!(file.phases[0].scenarios[0].name, "buyers");
    }

    #[test]
    fn mistakes_are_told_in_the_file_in_which_they_stand() {
        let own = "name = \"own\"\ninclude = [\"common.toml\"]\ncolour = 1\n";
        let wrong = COMMON.replace("rate = 30", "raet = 30");
        let told = read_all(&[("own.toml", own), ("common.toml", &wrong)]).unwrap_err();
        insta::assert_snapshot!(told, @r#"
        line 3, column 1: colour: unknown key
        common.toml: line 5, column 1: scenarios.orders.rate: is missing
        common.toml: line 8, column 1: scenarios.orders.raet: unknown key; did you mean "rate"?
        "#);
        let told = read_all(&[("own.toml", own), ("common.toml", "a = \n")]).unwrap_err();
        assert!(told.starts_with("common.toml: line 1"), "{told}");
    }

    #[test]
    fn a_file_that_is_missing_or_includes_itself_is_told_with_the_way_to_it() {
        let own = "name = \"own\"\ninclude = [\"a.toml\"]\n";
        let missing = read_all(&[("own.toml", own), ("a.toml", "include = [\"gone.toml\"]")]);
        insta::assert_snapshot!(missing.unwrap_err(), @r#"a.toml: line 1, column 12: include: there is no file "gone.toml" beside it, and no such scenario ships (own.toml → a.toml → gone.toml)"#);
        let cycle = read_all(&[("own.toml", own), ("a.toml", "x = 1\ninclude = [\"./own.toml\"]")]);
        insta::assert_snapshot!(cycle.unwrap_err(), @"a.toml: line 2, column 12: include: includes itself: own.toml → a.toml → ./own.toml");
        let number = read_all(&[("own.toml", "name = \"own\"\ninclude = [3]")]).unwrap_err();
        assert!(number.contains("expected names of files"), "{number}");
    }
}
