//! One process for each instance name: the group's coordinator would let a second one in at once, without waiting for
//! the end of anybody's session, while the first still writes.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::bail;
use tracing::warn;

/// In the instance's folder. The kernel lets go of the lock when the process ends, however it does; one that
/// only stands still keeps it.
const LOCK_FILE: &str = "process.lock";

/// The right to be this instance, on this machine. Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Sole(#[expect(dead_code, reason = "held, not read")] Option<File>);

impl Sole {
    /// Takes the instance's `folder` for this process alone. Where there can be no such folder nobody is kept
    /// out: whoever starts the processes has to see to it.
    ///
    /// # Errors
    /// Another process has it.
    pub(crate) fn take(folder: &Path, member: &str) -> anyhow::Result<Self> {
        let opened =
            std::fs::create_dir_all(folder).and_then(|()| File::create(folder.join(LOCK_FILE)));
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                warn!(folder = %folder.display(), %error, "cannot keep a second {member} out");
                return Ok(Self(None));
            }
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => bail!(
                "another process runs as {member} and has {}: stop that one, or give this one another --instance",
                folder.display()
            ),
            Err(TryLockError::Error(error)) => {
                warn!(folder = %folder.display(), %error, "cannot keep a second {member} out");
                Ok(Self(None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_kept_out_until_the_first_has_gone() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("inventory-1");
        let first = Sole::take(&folder, "inventory-1").unwrap();
        let error = Sole::take(&folder, "inventory-1").unwrap_err().to_string();
        assert!(error.contains("inventory-1") && error.contains("--instance"), "{error}");
        drop(first);
        Sole::take(&folder, "inventory-1").unwrap();
    }

    #[test]
    fn where_no_folder_can_be_nobody_is_kept_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        Sole::take(&file.path().join("below-a-file"), "inventory-1").unwrap();
    }
}
