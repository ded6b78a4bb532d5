//! The dashboard in a real terminal, with somebody at its keys.

use std::fs;
use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::process::{one_shop, summary, wait_for};

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// A load that would last far longer than the test.
const LONG: &str = "\
name = \"keys\"
sendLagLimit = \"60s\"
[scenarios.orders]
executor = \"constant-arrival-rate\"
exec = \"place-order\"
rate = 20
duration = \"10m\"
preAllocatedVUs = 50
gracefulStop = \"5s\"
";

/// A run in a terminal of its own.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn run(arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_doorbuster"));
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env_remove("RUST_LOG");
        let child = pair.slave.spawn_command(command).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().process(&buffer[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { screen, keys, child, _master: pair.master }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen shows it.
    fn shows(&self, wanted: &str) -> String {
        wait_for(&format!("{wanted:?} on the screen"), || {
            let text = self.text();
            text.contains(wanted).then_some(text)
        })
    }

    fn no_longer_shows(&self, unwanted: &str) {
        wait_for(&format!("{unwanted:?} to leave the screen"), || {
            (!self.text().contains(unwanted)).then_some(())
        });
    }

    fn end(mut self) -> u32 {
        self.child.wait().unwrap().exit_code()
    }
}

fn snapshots(out: &Path) -> Vec<std::path::PathBuf> {
    let run = fs::read_dir(out).unwrap().flatten().next().unwrap().path();
    let folders = fs::read_dir(run.join("keys/snapshots")).unwrap();
    folders.flatten().map(|entry| entry.path()).collect()
}

#[test]
fn keys_steer_a_run_from_its_paused_beginning_to_its_end() {
    let _turn = one_shop();
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("keys.toml"), folder.path().join("reports"));
    fs::write(&file, LONG).unwrap();
    let (file, out_text) = (file.to_str().unwrap(), out.to_str().unwrap());
    let mut terminal = Terminal::run(&["run", file, "--reports", out_text, "--paused"]);
    terminal.shows("paused before the first iteration");
    terminal.shows("PAUSED");
    terminal.press("6");
    let text = terminal.shows("users busy");
    assert!(text.contains("send lag"), "{text}");
    terminal.press("p");
    terminal.no_longer_shows("PAUSED");
    terminal.press("1");
    terminal.shows("response times");
    terminal.shows("HTTP 201");
    terminal.press("+");
    terminal.shows("×1.1 of the plan");
    terminal.press("--");
    terminal.shows("×0.9 of the plan");
    terminal.press("p");
    terminal.shows("PAUSED");
    terminal.press("s");
    terminal.shows("snapshot: ");
    let saved = snapshots(&out);
    assert_eq!(saved.len(), 1);
    assert!(saved[0].join("summary.json").is_file());
    terminal.press("?");
    terminal.shows("10 % of the plan's rate more, or less");
    terminal.press("\t");
    terminal.shows("WebSockets");
    terminal.press("q");
    assert_eq!(terminal.end(), 105);
    let summary = summary(&out);
    assert_eq!(summary["environment"]["segment"], "1/1");
    assert!(summary["audit"]["orders"].as_u64().unwrap() > 0, "{summary}");
}
