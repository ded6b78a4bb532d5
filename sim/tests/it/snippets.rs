//! The snippets of `docs/broker.md`, run as they stand there. Each needs the tools of its language, and
//! fetches what it depends on into `target/snippets`; where that cannot be had a test says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/broker.md")).unwrap()
}

/// The only block of this language on the page.
fn block(language: &str) -> String {
    let (page, begin) = (page(), format!("```{language}\n"));
    let mut blocks = page.split(&begin).skip(1);
    let block = blocks.next().unwrap().split("```\n").next().unwrap().to_owned();
    assert!(blocks.next().is_none(), "more than one block is in {language}");
    block
}

/// `target/debug` or the like.
fn build_folder() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Why a command did not succeed.
struct Failed(String);

impl Failed {
    fn skip(&self) -> bool {
        assert!(std::env::var_os("CI").is_none(), "CI must have this: {}", self.0);
        println!("SKIPPED: {}", self.0);
        false
    }
}

/// A folder to run a snippet in.
struct Bench {
    folder: PathBuf,
    path: String,
}

impl Bench {
    fn new(language: &str) -> Self {
        let folder = build_folder().parent().unwrap().join("snippets").join(language);
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).unwrap();
        // What a user installs, played by the example `broker`.
        let broker = build_folder().join("examples/broker");
        assert!(broker.exists(), "`cargo test -p sim` builds {}", broker.display());
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = broker ] || exit 2\nshift\nexec '{}' \"$@\"\n",
            broker.display()
        );
        fs::write(bin.join("doorbuster"), script).unwrap();
        fs::set_permissions(bin.join("doorbuster"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        Self { folder, path }
    }

    fn write(&self, name: &str, content: &str) {
        let file = self.folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn manifest(&self, name: &str) {
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snippets");
        self.write(name, &fs::read_to_string(manifests.join(name)).unwrap());
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<(), Failed> {
        let in_folder = self.folder.join(program);
        let output = Command::new(if in_folder.exists() { &in_folder } else { Path::new(program) })
            .args(arguments)
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .output()
            .map_err(|error| Failed(format!("{program}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Err(Failed(format!("{program} {arguments:?}: {} {said}", output.status)))
    }

    /// Something the snippet needs; without it there is nothing to test, except in CI, which has all.
    fn has(&self, program: &str, arguments: &[&str]) -> bool {
        match self.command(program, arguments) {
            Ok(()) => true,
            Err(failed) => failed.skip(),
        }
    }

    fn passes(&self, program: &str, arguments: &[&str]) {
        if let Err(Failed(why)) = self.command(program, arguments) {
            panic!("the snippet fails: {why}");
        }
    }
}

#[test]
fn the_rust_snippet_is_an_example_and_runs() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/in_a_test.rs");
    let example = fs::read_to_string(example).unwrap();
    let code = example.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    assert_eq!(code.collect::<Vec<_>>(), block("rust").lines().collect::<Vec<_>>());
    let output = Command::new(build_folder().join("examples/in_a_test")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("orders"), "{said}");
}

#[test]
fn the_pytest_snippet_passes() {
    let bench = Bench::new("python");
    bench.manifest("requirements.txt");
    bench.write("test_orders.py", &block("python"));
    let pip = ["-q", "--disable-pip-version-check", "install", "-r", "requirements.txt"];
    if bench.has("python3", &["-m", "venv", "venv"]) && bench.has("venv/bin/pip", &pip) {
        bench.passes("venv/bin/pytest", &["-q", "test_orders.py"]);
    }
}

#[test]
fn the_go_snippet_passes() {
    let bench = Bench::new("go");
    bench.manifest("go.mod");
    bench.manifest("go.sum");
    bench.write("orders_test.go", &block("go"));
    if bench.has("go", &["mod", "download"]) {
        bench.passes("go", &["test", "-count=1", "./..."]);
    }
}

#[test]
fn the_junit_snippet_passes() {
    let bench = Bench::new("java");
    bench.manifest("pom.xml");
    bench.write("src/test/java/OrdersTest.java", &block("java"));
    if !bench.has("mvn", &["-v"]) || !bench.has("javac", &["--version"]) {
        return;
    }
    // Maven fetches as it goes: what it cannot fetch is told apart by its own words.
    if let Err(Failed(why)) = bench.command("mvn", &["-q", "-B", "test"]) {
        let unreachable = ["Could not transfer", "Could not resolve", "could not be resolved"];
        assert!(unreachable.iter().any(|words| why.contains(words)), "the snippet fails: {why}");
        Failed(why).skip();
    }
}
