//! Frames that once were, or well might be, trouble, one a file: `tests/corpus/README.md` tells their form.

use std::fs;
use std::path::Path;

use sim::Broker;

use crate::malformed::still_serves;
use crate::panics;
use crate::wire::Wire;

/// What a file says that becomes of its bytes.
enum Expected {
    Closed,
    Answered(usize),
}

fn read(path: &Path) -> (Expected, Vec<u8>) {
    let text = fs::read_to_string(path).unwrap();
    let mut expected = None;
    let mut bytes = Vec::new();
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("answered ") {
            expected = Some(Expected::Answered(count.parse().unwrap()));
        } else if line == "closed" {
            expected = Some(Expected::Closed);
        } else if !line.starts_with('#') {
            let digits: Vec<char> = line.chars().filter(|char| !char.is_whitespace()).collect();
            for pair in digits.chunks(2) {
                let pair: String = pair.iter().collect();
                bytes.push(u8::from_str_radix(&pair, 16).unwrap_or_else(|_| panic!("{path:?}")));
            }
        }
    }
    (expected.unwrap_or_else(|| panic!("{path:?} expects nothing")), bytes)
}

#[tokio::test]
async fn every_file_of_the_corpus_meets_the_end_it_names() {
    panics::watch();
    let broker = Broker::start().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "hex"));
    files.sort();
    assert!(files.len() >= 20, "the corpus has {} files only", files.len());
    for path in files {
        let (expected, bytes) = read(&path);
        let mut wire = Wire::connect(broker.address()).await;
        println!("{}", path.display());
        match expected {
            // The broker closes the connection, without being asked to.
            Expected::Closed => wire.send_bytes(&bytes).await,
            Expected::Answered(answers) => {
                wire.send_all(&bytes).await;
                for _ in 0..answers {
                    assert!(wire.receive_frame().await.is_some());
                }
            }
        }
        assert_eq!(wire.receive_frame().await, None);
        still_serves(&broker).await;
    }
}
