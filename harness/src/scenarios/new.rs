//! `doorbuster scenarios new`: a commented scenario to start from.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::cli::KINDS;
use crate::say;

/// Writes `NAME.toml` into `folder`.
///
/// # Errors
/// The name is none, the file is there already, or it cannot be written.
pub(super) fn new(name: &str, kind: &str, folder: &Path) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        bail!("{name:?} is no name for a scenario: use letters, digits, `-` and `_`");
    }
    let path = folder.join(format!("{name}.toml"));
    let mut file = match File::create_new(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already, and is not overwritten: choose another name",
                path.display()
            )
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
    };
    let text = text(name, kind).with_context(|| format!("there is no kind {kind:?}"))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    let path = path.display();
    say::line(format_args!("{path} is written. Next:"));
    say::line(format_args!("  doorbuster scenarios show {path} --plan"));
    say::line(format_args!("  doorbuster run {path}"));
    Ok(())
}

/// The template of a kind under a new name.
fn text(name: &str, kind: &str) -> Option<String> {
    let (_, template) = KINDS.into_iter().find(|(known, _)| *known == kind)?;
    let (first, rest) = template.split_once('\n')?;
    debug_assert!(first.starts_with("name = "), "a template begins with its name");
    Some(format!("name = {name:?}\n{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_good_scenario_under_its_new_name() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, _) in KINDS {
            let name = format!("my-{kind}");
            new(&name, kind, folder.path()).unwrap();
            let path = folder.path().join(format!("{name}.toml"));
            let loaded = super::super::load(path.to_str().unwrap()).unwrap();
            assert_eq!(loaded.file.name, name);
            let again = new(&name, kind, folder.path()).unwrap_err().to_string();
            assert!(again.contains("is not overwritten"), "{again}");
        }
        assert!(new("../x", "load", folder.path()).is_err());
        let nowhere = new("x", "load", &folder.path().join("gone")).unwrap_err();
        assert!(format!("{nowhere:#}").contains("cannot write"), "{nowhere:#}");
    }
}
