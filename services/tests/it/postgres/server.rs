//! A real PostgreSQL: Debian's binaries in a folder of their own, as a user without rights.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::edge::child::DEADLINE;

/// Debian's `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;

const USER: &str = "shop";
const PASSWORD: &str = "a-password";

/// A server. Stopped when dropped; it ends with this process, however that ends.
pub(super) struct Server {
    binaries: PathBuf,
    folder: TempDir,
    pub(super) address: SocketAddr,
    running: Option<Child>,
}

/// The server of a test, or a line that says why the test is skipped.
pub(super) async fn server() -> Option<Server> {
    match binaries() {
        Some(binaries) => Some(Server::start(binaries).await),
        None => {
            eprintln!(
                "SKIPPED: no PostgreSQL in /usr/lib/postgresql (apt-get install postgresql) and none \
                 on the path"
            );
            None
        }
    }
}

/// The newest of Debian's versions, else whatever is on the path.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all =
        debian.into_iter().rev().map(|(_, path)| path).chain(std::env::split_paths(&path));
    all.find(|folder| folder.join("postgres").exists() && folder.join("initdb").exists())
}

impl Server {
    async fn start(binaries: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = crate::edge::port::reserved();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if is_root() {
            for path in [folder.path(), &password] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let mut server = Self { binaries, folder, address, running: None };
        let made = server
            .command("initdb")
            .args(["--username", USER, "--auth", "scram-sha-256", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--pwfile"])
            .arg(password)
            .arg("-D")
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        server.up().await;
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.folder.path()).env_clear().env("LC_ALL", "C");
        as_nobody(&mut command);
        command
    }

    /// Starts the server and waits until it answers.
    pub(super) async fn up(&mut self) {
        assert!(self.running.is_none());
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new("/bin/sh");
        // The shell waits for the end of its standard input, which comes with ours at the latest.
        let script = "\"$@\" & server=$!; read -r _; kill -QUIT $server; wait $server";
        command
            .args(["-c", script, "sh"])
            .arg(self.binaries.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()])
            .args(["-k", "", "-c", "max_connections=40", "-c", "shared_buffers=32MB"])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        as_nobody(&mut command);
        self.running = Some(command.spawn().unwrap());
        let answers = async {
            while self.connect(&self.url("public")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(DEADLINE, answers).await.is_err() {
            panic!("no server: {}", std::fs::read_to_string(self.log()).unwrap());
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Ends the server at once, with whatever it does: as `pg_ctl stop -m immediate`.
    pub(super) fn down(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.stdin.take());
            running.wait().unwrap();
        }
    }

    pub(super) fn url(&self, schema: &str) -> String {
        self.url_with(PASSWORD, schema)
    }

    pub(super) fn url_with(&self, password: &str, schema: &str) -> String {
        let address = self.address;
        format!(
            "postgres://{USER}:{password}@{address}/postgres?options=-c%20search_path%3D{schema}"
        )
    }

    async fn connect(&self, url: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A new schema, and a client that works in it.
    pub(super) async fn schema(&self, name: &str) -> (String, Client) {
        let url = self.url(name);
        let client = self.connect(&url).await.unwrap();
        client.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
        (url, client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn as_nobody(command: &mut Command) {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

/// The first column of the first row.
pub(super) async fn number(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}
