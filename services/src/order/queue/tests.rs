//! The queue against a real folder: whatever ends a process, what was taken in comes back.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::store::Store;
use super::*;

const SETTINGS: QueueSettings = QueueSettings { max_orders: 1_000, max_bytes: 1 << 20 };

fn at() -> Timestamp {
    Timestamp::from_timestamp_micros(1_750_000_000_123_456).unwrap()
}

fn entry(number: usize) -> Entry {
    let event = format!("{{\"order\":\"{number:05}\"}}").into_bytes();
    Entry { at: at(), trace: None, event }
}

fn number(record: &Record) -> usize {
    let text = std::str::from_utf8(&record.entry.event).unwrap();
    text[10..15].parse().unwrap()
}

/// Opens the queue of a predecessor that died; what it left, in its order.
fn reopen(folder: &Path) -> (Store, Vec<usize>) {
    let mut left = Vec::new();
    let store = Store::open(folder, SETTINGS, |record| left.push(number(record))).unwrap();
    (store, left)
}

fn append(store: &mut Store, numbers: impl Iterator<Item = usize>) {
    store.append(&numbers.map(entry).collect::<Vec<_>>()).unwrap();
}

fn read(store: &mut Store, limit: usize) -> Vec<usize> {
    store.read(limit).unwrap().iter().map(number).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    found.sort();
    found
}

fn folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("order-1/queue");
    (parent, folder)
}

#[test]
fn orders_come_back_after_a_death_and_leave_in_their_order() {
    let (_parent, folder) = folder();
    let (mut store, left) = reopen(&folder);
    assert!(left.is_empty());
    append(&mut store, 0..3);
    append(&mut store, 3..5);
    drop(store);
    let (mut store, left) = reopen(&folder);
    assert_eq!(left, [0, 1, 2, 3, 4]);
    append(&mut store, 5..6);
    assert_eq!(read(&mut store, 4), [0, 1, 2, 3]);
    assert_eq!(read(&mut store, 4), [4, 5]);
    // Two of the six stand in the log; the others are handed out again.
    store.acknowledge(2);
    assert_eq!((store.depth(), store.oldest()), (4, Some(at())));
    assert_eq!(read(&mut store, 10), [2, 3, 4, 5]);
    drop(store);
    let (mut store, left) = reopen(&folder);
    assert_eq!(left, [2, 3, 4, 5]);
    assert_eq!(read(&mut store, 10).len(), 4);
    store.acknowledge(4);
    assert_eq!((store.depth(), store.bytes(), store.oldest()), (0, 0, None));
    assert!(files(&folder, "queue").is_empty(), "a drained queue is empty on disk, too");
    drop(store);
    let (mut store, left) = reopen(&folder);
    assert!(left.is_empty());
    append(&mut store, 6..7);
    assert_eq!(read(&mut store, 10), [6], "what comes after a drain is not taken for drained");
}

#[test]
fn a_second_process_is_refused_by_name() {
    let (_parent, folder) = folder();
    let (_store, _) = reopen(&folder);
    let error = Store::open(&folder, SETTINGS, |_| ()).unwrap_err().to_string();
    assert!(error.contains("another order service") && error.contains("--instance"), "{error}");
}

#[test]
fn a_torn_tail_is_cut_off() {
    let (_parent, folder) = folder();
    let (mut store, _) = reopen(&folder);
    append(&mut store, 0..3);
    drop(store);
    let segment = files(&folder, "queue").remove(0);
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    let (mut store, left) = reopen(&folder);
    assert_eq!(left, [0, 1]);
    assert!(files(&folder, "damaged").is_empty());
    append(&mut store, 7..8);
    assert_eq!(read(&mut store, 9), [0, 1, 7]);
}

#[test]
fn a_flipped_byte_costs_its_order_only_and_the_file_is_kept() {
    let (_parent, folder) = folder();
    let (mut store, _) = reopen(&folder);
    append(&mut store, 0..5);
    drop(store);
    let segment = files(&folder, "queue").remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let (mut store, left) = reopen(&folder);
    assert_eq!(left, [0, 1, 3, 4]);
    let [aside] = &files(&folder, "damaged")[..] else { panic!("one file is set aside") };
    assert_eq!(fs::read(aside).unwrap(), bytes, "as it was found");
    assert_eq!(read(&mut store, 9), [0, 1, 3, 4]);
    store.acknowledge(4);
    drop(store);
    let (_store, left) = reopen(&folder);
    assert!(left.is_empty(), "what is set aside is not read again");
}

#[test]
fn a_byte_that_flips_while_the_process_lives_costs_its_order_only() {
    let (_parent, folder) = folder();
    let (mut store, _) = reopen(&folder);
    append(&mut store, 0..5);
    let segment = files(&folder, "queue").remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    assert_eq!(read(&mut store, 3), [0, 1, 3]);
    append(&mut store, 5..6);
    assert_eq!(read(&mut store, 9), [4, 5]);
    store.acknowledge(5);
    assert_eq!(store.depth(), 0);
    assert_eq!(files(&folder, "damaged").len(), 1);
}

#[test]
fn a_process_that_died_while_it_set_a_file_aside_is_succeeded() {
    let (_parent, folder) = folder();
    let (mut store, _) = reopen(&folder);
    append(&mut store, 0..2);
    drop(store);
    let segment = files(&folder, "queue").remove(0);
    // Before the original was moved, the copy counts for nothing; afterwards it is the segment.
    fs::write(segment.with_extension("salvaged"), b"half").unwrap();
    let (store, left) = reopen(&folder);
    assert_eq!((left, files(&folder, "salvaged").len()), (vec![0, 1], 0));
    drop(store);
    fs::rename(&segment, segment.with_extension("salvaged")).unwrap();
    let (_store, left) = reopen(&folder);
    assert_eq!(left, [0, 1]);
}

#[test]
fn the_bounds_are_kept() {
    let (_parent, folder) = folder();
    let settings = QueueSettings { max_orders: 3, max_bytes: 1 << 20 };
    let mut store = Store::open(&folder, settings, |_| ()).unwrap();
    append(&mut store, 0..2);
    assert!(store.has_room(0, 0, 20) && !store.has_room(1, 0, 20));
    let settings = QueueSettings { max_orders: 9, max_bytes: 300 };
    drop(store);
    let store = Store::open(&folder, settings, |_| ()).unwrap();
    assert!(store.has_room(0, 0, 20) && !store.has_room(1, 44, 100));
}

#[test]
fn a_folder_that_is_gone_is_told_and_forgiven() {
    let (_parent, folder) = folder();
    let (mut store, _) = reopen(&folder);
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    assert!(store.append(&[entry(0)]).is_err());
    assert_eq!((store.depth(), store.bytes()), (0, 0));
    fs::rename(&away, &folder).unwrap();
    append(&mut store, 1..2);
    assert_eq!(read(&mut store, 9), [1]);
}

#[tokio::test]
async fn what_gathers_is_kept_together_and_whoever_is_ahead_is_known() {
    let (_parent, folder) = folder();
    let clock = Clock::system();
    let queue = Queue::open(&folder, SETTINGS, clock, |_| ()).unwrap();
    assert_eq!(queue.ahead(), 0);
    let appends = (0..100).map(|number| queue.append(entry(number)));
    assert!(futures_util::future::join_all(appends).await.iter().all(Result::is_ok));
    queue.some_ahead().await;
    assert_eq!(queue.ahead(), 100);
    let records = queue.next(200).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert!(queue.next(1).await.unwrap().is_empty());
    queue.departed(100);
    queue.none_ahead().await;
    assert_eq!(queue.depth(), 100);
    queue.arrived(99).await;
    assert_eq!((queue.ahead(), queue.depth()), (1, 1));
    assert_eq!(queue.next(200).await.unwrap().len(), 1);
    queue.departed(1);
    queue.arrived(1).await;
    assert_eq!((queue.ahead(), queue.depth(), queue.oldest()), (0, 0, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Appends, reads, acknowledgements and deaths in any order, against a plain list: nothing is lost,
    /// nothing comes out of order, and only what was not acknowledged comes again.
    #[test]
    fn behaves_like_a_list(steps in prop::collection::vec((0..4_u8, 1..40_usize), 1..40)) {
        let (_parent, folder) = folder();
        let (mut store, _) = reopen(&folder);
        let (mut waiting, mut out, mut next) = (Vec::new(), 0, 0);
        for (step, count) in steps {
            match step {
                0 => {
                    append(&mut store, next..next + count);
                    waiting.extend(next..next + count);
                    next += count;
                }
                1 => {
                    let expected: Vec<_> = waiting.iter().skip(out).take(count).copied().collect();
                    out += expected.len();
                    prop_assert_eq!(read(&mut store, count), expected);
                }
                2 => {
                    let arrived = count.min(out);
                    store.acknowledge(arrived);
                    waiting.drain(..arrived);
                    out = 0;
                }
                _ => {
                    drop(store);
                    let (reopened, left) = reopen(&folder);
                    prop_assert_eq!(&left, &waiting);
                    (store, out) = (reopened, 0);
                }
            }
            prop_assert_eq!(store.depth(), waiting.len() as u64);
        }
    }
}
