//! The files of one service instance's snapshots.
//!
//! `UNIT.SEQUENCE.snapshot`, higher numbers being newer. A file gets its name when it is whole and synced,
//! so that whatever has the name is a snapshot, or was damaged later.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::format::{self, FormatError, Header, Snapshot};
use super::state::{Content, Unit};

/// Of each unit: when the newest cannot be used the one before may be.
const GENERATIONS: usize = 2;

const ENDING: &str = "snapshot";

/// A folder of snapshots.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// One snapshot's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    sequence: u64,
}

/// What writing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) orders: u64,
    pub(crate) size_bytes: u64,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl Folder {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The snapshots of `unit`, the newest first.
    pub(crate) fn list(&self, unit: Unit) -> Vec<Place> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let mut places: Vec<Place> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let sequence = sequence_of(&name, unit)?;
                Some(Place { path: entry.path(), sequence })
            })
            .collect();
        places.sort_unstable_by_key(|place| std::cmp::Reverse(place.sequence));
        places
    }

    /// The newest readable snapshot of each unit that there is.
    pub(crate) fn newest(&self) -> Vec<Snapshot> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let units: BTreeSet<Unit> = names.filter_map(|name| unit_of(&name)).collect();
        let newest = |unit| self.list(unit).iter().find_map(|place| Self::read(place).ok());
        units.into_iter().filter_map(newest).collect()
    }

    /// Reads and checks one.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn read(place: &Place) -> Result<Snapshot, ReadError> {
        Ok(Snapshot::parse(fs::read(&place.path)?)?)
    }

    /// Writes a snapshot and removes those that are too old. After an error everything is as before.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn write(&self, header: &Header, content: &dyn Content) -> io::Result<Written> {
        fs::create_dir_all(&self.path)?;
        let older = self.list(header.unit);
        let sequence = older.first().map_or(0, |newest| newest.sequence) + 1;
        let name = format!("{}.{sequence:016}.{ENDING}", unit_name(header.unit));
        let path = self.path.join(&name);
        // Two processes may take themselves for the same instance for a moment.
        let unfinished = self.path.join(format!("{name}.{}", std::process::id()));
        let written = write_whole(&unfinished, header, content)
            .and_then(|written| fs::rename(&unfinished, &path).map(|()| written));
        if written.is_err() {
            // What is left behind would only take room, and its name is taken for no snapshot.
            let _ = fs::remove_file(&unfinished);
        }
        let written = written?;
        File::open(&self.path)?.sync_all()?;
        for place in older.iter().skip(GENERATIONS - 1) {
            fs::remove_file(&place.path)?;
        }
        Ok(written)
    }

    /// Removes all snapshots of `unit`.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn remove(&self, unit: Unit) -> io::Result<()> {
        self.list(unit).iter().try_for_each(|place| fs::remove_file(&place.path))
    }
}

fn write_whole(path: &Path, header: &Header, content: &dyn Content) -> io::Result<Written> {
    let mut file = File::create(path)?;
    let orders = format::write(header, content, &mut file)?;
    file.sync_all()?;
    Ok(Written { orders, size_bytes: file.metadata()?.len() })
}

fn unit_name(unit: Unit) -> String {
    match unit {
        Unit::Whole => "all".to_owned(),
        Unit::Partition(partition) => format!("partition-{partition}"),
    }
}

fn unit_of(name: &str) -> Option<Unit> {
    match name.split_once('.')?.0 {
        "all" => Some(Unit::Whole),
        part => part.strip_prefix("partition-")?.parse().ok().map(Unit::Partition),
    }
}

fn sequence_of(name: &str, unit: Unit) -> Option<u64> {
    let rest = name.strip_prefix(&unit_name(unit))?.strip_prefix('.')?;
    rest.strip_suffix(ENDING)?.strip_suffix('.')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::cut::Cut;
    use super::*;
    use contract::ids::OrderId;

    struct Orders(u8);

    impl Content for Orders {
        fn visit(&self, each: &mut dyn FnMut(OrderId, &[u8])) {
            for number in 0..self.0 {
                each(OrderId::for_idempotency_key(&number.to_string()), &[number]);
            }
        }

        fn entry(&self, _order: OrderId, _out: &mut Vec<u8>) {}
    }

    fn header(unit: Unit) -> Header {
        let (service, cut) = ("payment".to_owned(), Cut::new());
        Header { service, unit, partitions: 4, written_at_us: 0, cut }
    }

    #[test]
    fn two_generations_are_kept_and_units_do_not_mix() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path().join("payment-1"));
        assert_eq!(folder.list(Unit::Whole), []);
        let units = [Unit::Partition(1), Unit::Partition(11), Unit::Whole];
        for orders in 1..=3 {
            for unit in units {
                folder.write(&header(unit), &Orders(orders)).unwrap();
            }
        }
        for unit in units {
            let orders: Vec<u64> =
                folder.list(unit).iter().map(|place| Folder::read(place).unwrap().orders).collect();
            assert_eq!(orders, [3, 2]);
        }
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 6, "nothing else is left behind");
        assert_eq!(folder.newest().iter().map(|newest| newest.orders).collect::<Vec<_>>(), [3; 3]);
        folder.remove(Unit::Partition(1)).unwrap();
        assert_eq!((folder.list(units[0]).len(), folder.list(units[1]).len()), (0, 2));
    }

    #[test]
    fn a_folder_that_cannot_be_written_keeps_what_it_has() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "no folder").unwrap();
        let folder = Folder::new(file);
        assert!(folder.write(&header(Unit::Whole), &Orders(1)).is_err());
        assert_eq!(folder.list(Unit::Whole), []);
    }
}
