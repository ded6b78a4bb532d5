//! What the snapshots in a data folder stand for, for whoever sets a group back to them.

use std::collections::BTreeMap;
use std::path::Path;

use contract::topics::Topic;

use crate::kit::snapshot::folder::Folder;

/// The offsets of the newest readable snapshots of all instances of `service`; the oldest where instances
/// have snapshots of one partition.
#[must_use]
pub fn offsets(data_dir: &Path, service: &str) -> BTreeMap<(Topic, i32), i64> {
    let mut offsets = BTreeMap::new();
    let Ok(instances) = std::fs::read_dir(data_dir) else { return offsets };
    let prefix = format!("{service}-");
    for instance in instances.flatten() {
        if !instance.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        for snapshot in Folder::new(instance.path()).newest() {
            if snapshot.header.service != service {
                continue;
            }
            for (place, mark) in snapshot.header.cut {
                let offset = offsets.entry(place).or_insert(mark.next_offset);
                *offset = mark.next_offset.min(*offset);
            }
        }
    }
    offsets
}
