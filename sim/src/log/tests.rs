use super::batch::tests::batch;
use super::*;

fn log_of(batches: &[Bytes]) -> Log {
    let mut log = Log::default();
    for batch in batches {
        log.append(&BatchHeader::check(batch).unwrap(), batch).unwrap();
    }
    log
}

fn offsets(log: &Log, stretch: &Stretch) -> Vec<i64> {
    log.index.range(stretch.batches.clone()).map(|indexed| indexed.base_offset).collect()
}

#[test]
fn an_offset_inside_a_batch_reads_that_batch() {
    let log = log_of(&[batch(&[1, 2, 3], 9), batch(&[4], 9), batch(&[5, 6], 9)]);
    for (offset, expected) in
        [(0, vec![0, 3, 4]), (2, vec![0, 3, 4]), (3, vec![3, 4]), (5, vec![4]), (6, vec![])]
    {
        let stretch = log.stretch(offset, usize::MAX, false).unwrap();
        assert_eq!(offsets(&log, &stretch), expected, "from {offset}");
    }
    for offset in [-1, 7] {
        assert_eq!(log.stretch(offset, 9, true), Err(ErrorCode::OffsetOutOfRange));
    }
}

#[test]
fn limits_hold_except_for_the_first_batch() {
    let log = log_of(&[batch(&[1], 100), batch(&[2], 100), batch(&[3], 100)]);
    let one = batch(&[1], 100).len();
    let length = |max, at_least_one| {
        let stretch = log.stretch(0, max, at_least_one).unwrap();
        (offsets(&log, &stretch).len(), stretch.size_bytes)
    };
    assert_eq!(length(2 * one, false), (2, 2 * one));
    assert_eq!(length(2 * one - 1, false), (1, one));
    assert_eq!(length(1, true), (1, one));
    assert_eq!(length(1, false), (0, 0));
}

#[test]
fn written_batches_carry_their_offsets_and_still_check() {
    let log = log_of(&[batch(&[1, 2], 10), batch(&[3], 50_000)]);
    let stretch = log.stretch(0, usize::MAX, true).unwrap();
    let mut outbox = Outbox::default();
    log.write(&log.load(&stretch).unwrap(), &mut outbox);
    let bytes = outbox.to_bytes();
    assert_eq!(bytes.len(), stretch.size_bytes);
    let second = bytes.slice(batch(&[1, 2], 10).len()..);
    assert_eq!(BatchHeader::check(&second).unwrap().base_offset, 2);
}

#[test]
fn retention_moves_the_start_but_keeps_the_newest_batch_of_a_small_limit() {
    let mut log = log_of(&[batch(&[10, 11], 100), batch(&[20], 100), batch(&[30], 100)]);
    let by_bytes = Retention { bytes: Some(log.size_bytes() - 1), ms: None };
    assert!(log.retain(by_bytes, 0));
    assert_eq!((log.log_start_offset(), log.high_watermark()), (2, 4));
    assert_eq!(log.stretch(1, 1, true), Err(ErrorCode::OffsetOutOfRange));
    log.retain(Retention { bytes: Some(0), ms: None }, 0);
    assert_eq!(log.log_start_offset(), 3);
    assert!(!log.retain(Retention { bytes: None, ms: Some(5) }, 35));
    assert!(log.retain(Retention { bytes: None, ms: Some(5) }, 36));
    assert_eq!((log.log_start_offset(), log.size_bytes()), (4, 0));
}

#[test]
fn timestamps_find_their_record() {
    let log = log_of(&[batch(&[10, 30, 20], 9), batch(&[25, 40], 9)]);
    assert_eq!(log.offset_at(5), Ok(Some((0, 10))));
    assert_eq!(log.offset_at(15), Ok(Some((1, 30))));
    assert_eq!(log.offset_at(31), Ok(Some((4, 40))));
    assert_eq!(log.offset_at(41), Ok(None));
    assert_eq!(log.offset_of_max_timestamp(), Ok(Some((4, 40))));
    assert_eq!(Log::default().offset_of_max_timestamp(), Ok(None));
}

#[test]
fn the_start_moves_into_a_batch_and_never_back() {
    let mut log = log_of(&[batch(&[10], 9), batch(&[20, 21, 22], 9), batch(&[30], 9)]);
    log.drop_before(3);
    assert_eq!((log.log_start_offset(), log.index.len()), (3, 2));
    let stretch = log.stretch(3, usize::MAX, true).unwrap();
    assert_eq!(offsets(&log, &stretch), [1, 4], "its batch is still whole");
    assert_eq!(log.stretch(2, 9, true), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(log.offset_at(20), Ok(Some((3, 22))), "deleted records are not found");
    log.drop_before(1);
    assert_eq!(log.log_start_offset(), 3);
    log.drop_before(99);
    assert_eq!((log.log_start_offset(), log.index.len(), log.size_bytes()), (5, 0, 0));
}

#[test]
fn headers_that_lie_lead_a_lookup_no_further_than_a_few_batches() {
    let lying = |timestamp: i64| {
        let mut bytes = batch(&[timestamp], 9).to_vec();
        bytes[35..43].copy_from_slice(&1_000i64.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
        Bytes::from(bytes)
    };
    let mut batches: Vec<Bytes> = (0..3).map(lying).collect();
    batches.push(batch(&[500], 9));
    assert_eq!(log_of(&batches).offset_at(500), Ok(Some((3, 500))));
    let batches: Vec<Bytes> = (0..9).map(lying).collect();
    let first_of_the_next = Ok(Some((4, 4)));
    assert_eq!(log_of(&batches).offset_at(500), first_of_the_next, "a batch's first is the answer");
}
