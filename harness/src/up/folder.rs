//! Where `up` keeps its shop: a folder that is deleted in the end, or with `--data` one that is opened again.
//!
//! | in it | what |
//! |---|---|
//! | `shop.json` | what cannot change while there are orders |
//! | `shop.lock` | held by the one `up` that uses the folder |
//! | `broker/`, `SERVICE-INSTANCE/` | what the processes keep |
//! | `logs/` | what they say, unless `--logs` names another place |

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use contract::ids::ProductId;
use serde::{Deserialize, Serialize};

use crate::settings::ShopSettings;

const FOUNDATION: &str = "shop.json";
const LOCK: &str = "shop.lock";
const LOGS: &str = "logs";

type Stock = BTreeMap<ProductId, u64>;

/// What the shop began with: everything in the log follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Foundation {
    pub(super) stock: Stock,
    pub(super) partitions: i32,
}

/// What the command line says of that.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) stock: Option<Stock>,
    pub(super) partitions: Option<i32>,
}

/// An open shop's folder. Others may have it when this is dropped.
#[derive(Debug)]
pub(super) struct ShopFolder {
    pub(super) path: PathBuf,
    pub(super) logs: PathBuf,
    pub(super) foundation: Foundation,
    /// Nothing without `--data`, and then the folder goes with this.
    lock: Option<File>,
}

impl ShopFolder {
    /// # Errors
    /// `data` is no folder, not a shop's, in use, or of a shop that began otherwise than is `wanted`.
    pub(super) fn open(
        data: Option<&Path>,
        logs: Option<&Path>,
        wanted: Wanted,
    ) -> anyhow::Result<Self> {
        let own = || std::env::temp_dir().join(format!("doorbuster-up-{}", std::process::id()));
        let path = data.map_or_else(own, Path::to_owned);
        create(&path)?;
        let lock = data.map(take).transpose()?;
        let known = if lock.is_some() { read(&path)? } else { None };
        let foundation = foundation(known.as_ref(), wanted, &path)?;
        if lock.is_some() && known.is_none() {
            write(&path, &foundation)?;
        }
        let logs = logs.map_or_else(|| path.join(LOGS), Path::to_owned);
        let folder = Self { path, logs, foundation, lock };
        create(&folder.logs)?;
        Ok(folder)
    }

    /// Whether the shop is there again after its end.
    pub(super) const fn is_kept(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for ShopFolder {
    fn drop(&mut self) {
        if !self.is_kept() {
            // A folder that stays behind in /tmp is no reason to fail.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn create(folder: &Path) -> anyhow::Result<()> {
    match fs::create_dir_all(folder) {
        Err(error)
            if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) =>
        {
            bail!(
                "{} is not a folder: name a folder, or one that does not exist yet",
                folder.display()
            )
        }
        created => {
            created.with_context(|| format!("cannot create the folder {}", folder.display()))
        }
    }
}

/// Takes the folder for this process alone, if it is a shop's or empty.
fn take(folder: &Path) -> anyhow::Result<File> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let is_shops = [FOUNDATION, LOCK].iter().any(|name| folder.join(name).exists());
    if !is_shops && entries.count() > 0 {
        bail!("{} holds something else than a shop: name an empty folder", folder.display());
    }
    let path = folder.join(LOCK);
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use by another `doorbuster up`: close that one, or name another folder",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn read(folder: &Path) -> anyhow::Result<Option<Foundation>> {
    let path = folder.join(FOUNDATION);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let foundation = serde_json::from_slice(&text).with_context(|| {
        format!("{} says not what the shop began with: name another folder", path.display())
    })?;
    Ok(Some(foundation))
}

/// Whole or not at all.
fn write(folder: &Path, foundation: &Foundation) -> anyhow::Result<()> {
    let path = folder.join(FOUNDATION);
    let draft = path.with_extension("draft");
    fs::write(&draft, serde_json::to_vec_pretty(foundation)?)
        .and_then(|()| fs::rename(&draft, &path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What the shop in the folder began with, or what a new one begins with.
fn foundation(
    known: Option<&Foundation>,
    wanted: Wanted,
    folder: &Path,
) -> anyhow::Result<Foundation> {
    let Wanted { stock, partitions } = wanted;
    let Some(known) = known else {
        let ShopSettings { stock: usual, partitions: number, .. } = ShopSettings::default();
        let (stock, partitions) = (stock.unwrap_or(usual), partitions.unwrap_or(number));
        return Ok(Foundation { stock, partitions });
    };
    let flag = if stock.is_some_and(|stock| stock != known.stock) {
        "--stock"
    } else if partitions.is_some_and(|partitions| partitions != known.partitions) {
        "--partitions"
    } else {
        return Ok(known.clone());
    };
    bail!(
        "the shop in {} began with another {flag}: leave {flag} out, or name another folder",
        folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(data: &Path, wanted: Wanted) -> Result<ShopFolder, String> {
        ShopFolder::open(Some(data), None, wanted).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_shop_goes_on_with_what_it_began_with_and_nothing_else() {
        let around = tempfile::tempdir().unwrap();
        let data = around.path().join("new/shop");
        let few: Stock = [(ProductId::Product1, 7)].into();
        let stock = || Wanted { stock: Some(few.clone()), partitions: None };
        let first = open(&data, stock()).unwrap();
        assert_eq!(first.foundation.stock, few);
        assert_eq!(first.logs, data.join("logs"));
        let partitions = first.foundation.partitions;
        drop(first);
        assert_eq!(open(&data, Wanted::default()).unwrap().foundation.stock, few);
        assert!(open(&data, stock()).is_ok());
        let usual = Wanted { stock: Some(ShopSettings::default().stock), partitions: None };
        let refused = open(&data, usual).unwrap_err();
        assert!(refused.contains("leave --stock out"), "{refused}");
        let more = Wanted { stock: None, partitions: Some(partitions + 1) };
        let refused = open(&data, more).unwrap_err();
        assert!(refused.contains("leave --partitions out"), "{refused}");
        fs::write(data.join(FOUNDATION), "{").unwrap();
        let refused = open(&data, Wanted::default()).unwrap_err();
        assert!(refused.contains(FOUNDATION), "{refused}");
    }

    #[test]
    fn nobody_elses_folder_is_taken() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("thesis.txt"), "dear").unwrap();
        let refused = open(data.path(), Wanted::default()).unwrap_err();
        assert!(refused.contains("something else than a shop"), "{refused}");
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1, "nothing was written");
        for path in [data.path().join("thesis.txt"), data.path().join("thesis.txt/below")] {
            let refused = open(&path, Wanted::default()).unwrap_err();
            assert!(refused.contains("not a folder"), "{refused}");
        }
    }

    #[test]
    fn a_shop_that_is_not_kept_goes_with_its_folder() {
        let shop = ShopFolder::open(None, None, Wanted::default()).unwrap();
        let path = shop.path.clone();
        assert!(shop.logs.is_dir() && !shop.is_kept());
        drop(shop);
        assert!(!path.exists());
    }
}
