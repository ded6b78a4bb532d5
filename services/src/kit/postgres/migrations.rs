//! Bringing a service's tables up to date.
//!
//! Each table has one owner, and each owner its own list of migrations. All of it happens in one
//! transaction under one lock, so that of several instances that start at once one does it.

use uuid::Uuid;

use super::{Connection, DatabaseError, Work};

/// One step. What has been applied somewhere never changes again: write another one.
pub(crate) struct Migration {
    pub(crate) version: i32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    /// Tells whether it is still the one that was applied.
    fn checksum(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, self.sql.as_bytes())
    }
}

/// Brings the tables of `owner` up to date. The output: how many steps that took.
pub(crate) struct Migrate {
    pub(crate) owner: &'static str,
    /// Ascending.
    pub(crate) migrations: &'static [Migration],
}

/// Any number will do, as long as nobody else locks by it.
const LOCK: i64 = 0x0d00_2b05_7e20;

const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = 0";

const REGISTER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    owner       VARCHAR(50) NOT NULL,
    version     INTEGER NOT NULL,
    name        VARCHAR(100) NOT NULL,
    checksum    UUID NOT NULL,
    applied_at  TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(),
    PRIMARY KEY (owner, version)
)";

impl Work for Migrate {
    type Output = usize;
    const NAME: &'static str = "migrate";

    async fn run(&mut self, connection: &Connection) -> Result<usize, DatabaseError> {
        connection.batch_execute(BEGIN).await?;
        connection.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
        connection.batch_execute(REGISTER).await?;
        let applied = connection
            .query(
                "SELECT version, checksum FROM schema_migrations WHERE owner = $1 ORDER BY version",
                &[&self.owner],
            )
            .await?;
        let applied: Vec<(i32, Uuid)> =
            applied.iter().map(|row| (row.get(0), row.get(1))).collect();
        let missing = missing(self.owner, self.migrations, &applied)?;
        for migration in missing {
            self.apply(connection, migration).await?;
        }
        connection.batch_execute("COMMIT").await?;
        Ok(missing.len())
    }
}

impl Migrate {
    async fn apply(
        &self,
        connection: &Connection,
        migration: &Migration,
    ) -> Result<(), DatabaseError> {
        let Migration { version, name, sql } = migration;
        let owner = self.owner;
        connection.batch_execute(sql).await.map_err(|error| match DatabaseError::from(error) {
            DatabaseError::Refused(reason) => DatabaseError::Refused(format!(
                "migration {version} ({name}) of {owner} cannot be applied: {reason}. Tables that this \
                 program did not make are in its way: name an empty schema in the URL \
                 (?options=-c%20search_path%3DSCHEMA)"
            )),
            other => other,
        })?;
        let note = "INSERT INTO schema_migrations (owner, version, name, checksum) \
                    VALUES ($1, $2, $3, $4)";
        connection.execute(note, &[&owner, version, name, &migration.checksum()]).await?;
        Ok(())
    }
}

/// The steps that have not been applied.
fn missing<'a>(
    owner: &str,
    known: &'a [Migration],
    applied: &[(i32, Uuid)],
) -> Result<&'a [Migration], DatabaseError> {
    for (index, (version, checksum)) in applied.iter().enumerate() {
        let Some(migration) = known.get(index).filter(|known| known.version == *version) else {
            return Err(DatabaseError::Refused(format!(
                "the tables of {owner} are at migration {version}, which this program does not know: \
                 start the newer program that made them, or name an empty schema in the URL"
            )));
        };
        if migration.checksum() != *checksum {
            return Err(DatabaseError::Refused(format!(
                "migration {version} ({}) of {owner} was applied in another form: these tables are an old \
                 or foreign schema, name an empty one in the URL",
                migration.name
            )));
        }
    }
    Ok(&known[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Migration; 2] = [
        Migration { version: 1, name: "first", sql: "CREATE TABLE a ()" },
        Migration { version: 2, name: "second", sql: "CREATE TABLE b ()" },
    ];

    fn versions(applied: &[(i32, Uuid)]) -> Result<Vec<i32>, String> {
        let missing = missing("status", &KNOWN, applied).map_err(|error| error.to_string())?;
        Ok(missing.iter().map(|migration| migration.version).collect())
    }

    #[test]
    fn only_what_is_missing_is_applied() {
        let [first, second] = [0, 1].map(|at| (KNOWN[at].version, KNOWN[at].checksum()));
        assert_eq!(versions(&[]), Ok(vec![1, 2]));
        assert_eq!(versions(&[first]), Ok(vec![2]));
        assert_eq!(versions(&[first, second]), Ok(vec![]));
    }

    #[test]
    fn tables_of_another_program_are_refused() {
        let [first, second] = [0, 1].map(|at| (KNOWN[at].version, KNOWN[at].checksum()));
        let newer = versions(&[first, second, (3, Uuid::nil())]).unwrap_err();
        assert!(newer.contains("migration 3"), "{newer}");
        let changed = versions(&[(1, Uuid::nil())]).unwrap_err();
        assert!(changed.contains("another form"), "{changed}");
        assert!(versions(&[second]).is_err(), "a gap");
    }
}
