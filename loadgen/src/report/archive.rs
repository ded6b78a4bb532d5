//! `run.json.gz`: everything that a run's reports are made of, to render them again, compare and merge.
//!
//! Gzipped JSON `{"format": "doorbuster-run", "version": N, "written_by": …, "run": {…}}`. Only `run` may change
//! its shape, and with it the version: a reader tells an old or newer file from a damaged one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{Format, RunReport};

/// The file's name in a run's folder.
pub const ARCHIVE_FILE: &str = "run.json.gz";
const FORMAT: &str = "doorbuster-run";
/// Goes up with every change that an older or newer program cannot read.
const VERSION: u32 = 1;
/// Inflated, the archive of a long run has some ten megabytes; a file that claims more is none of ours.
const MAX_BYTES: u64 = 1 << 30;

/// Why a run cannot be read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("{path} has no {ARCHIVE_FILE}: name a folder that `doorbuster run` has written")]
    Missing { path: PathBuf },
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} is no saved run, or damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "{path} was written in version {found} of the format, by doorbuster {written_by}; this one reads \
         version {VERSION}: use the program that wrote it, or run the test again"
    )]
    OtherVersion { path: PathBuf, found: u32, written_by: String },
}

#[derive(Serialize, Deserialize)]
struct Envelope<R> {
    format: String,
    version: u32,
    written_by: String,
    run: R,
}

/// The archive as a report file.
pub(super) struct Archive;

impl Format for Archive {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn file_name(&self) -> &'static str {
        ARCHIVE_FILE
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        let envelope = Envelope {
            format: FORMAT.to_owned(),
            version: VERSION,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            run,
        };
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut gzip, &envelope)?;
        gzip.finish()
    }
}

/// Reads a run again: from its folder, or from the archive itself.
///
/// # Errors
/// It is not there, damaged, or of another version.
pub fn load(place: &Path) -> Result<RunReport, ArchiveError> {
    let path = if place.is_dir() { place.join(ARCHIVE_FILE) } else { place.to_owned() };
    let file = File::open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ArchiveError::Missing { path: place.to_owned() },
        _ => ArchiveError::Unreadable { path: path.clone(), source },
    })?;
    let mut text = String::new();
    GzDecoder::new(file).take(MAX_BYTES).read_to_string(&mut text).map_err(|source| {
        ArchiveError::Damaged { path: path.clone(), reason: source.to_string() }
    })?;
    parse(&text, &path)
}

fn parse(text: &str, path: &Path) -> Result<RunReport, ArchiveError> {
    let damaged = |reason: String| ArchiveError::Damaged { path: path.to_owned(), reason };
    let envelope: Envelope<Box<RawValue>> =
        serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if envelope.format != FORMAT {
        return Err(damaged(format!("its format is {:?}", envelope.format)));
    }
    if envelope.version != VERSION {
        let Envelope { version: found, written_by, .. } = envelope;
        return Err(ArchiveError::OtherVersion { path: path.to_owned(), found, written_by });
    }
    serde_json::from_str(envelope.run.get()).map_err(|error| damaged(error.to_string()))
}
