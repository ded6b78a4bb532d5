//! Produce, versions 3 to 12: appends one record batch per partition, unopened.
//!
//! Read and written by hand, since batches must stay the bytes that they are. With one replica
//! every value of acks but 0 means the same; acks=0 gets no response.

use std::ops::ControlFlow;

use bytes::BufMut;
use bytes::Bytes;

use crate::core::{Core, Progress};
use crate::dispatch::Call;
use crate::error::{ErrorCode, code_of};
use crate::log::batch::{BatchHeader, stamp};
use crate::log::records::look_at_records;
use crate::producers::Admission;
use crate::topic_config::{Timestamps, TopicConfig};
use crate::wire::{Fatal, Outbox, Reader};

const FLEXIBLE_FROM: i16 = 9;
const NO_TIMESTAMP: i64 = -1;

/// Where a batch went.
struct Appended {
    base_offset: i64,
    /// The batch's timestamp where it is the broker's, or where the batch was there before.
    log_append_time: i64,
    log_start_offset: i64,
}

pub(crate) fn handle(
    core: &mut Core,
    call: &Call<'_>,
    body: Bytes,
    outbox: &mut Outbox,
) -> Result<Progress, Fatal> {
    let flexible = call.header.version >= FLEXIBLE_FROM;
    check(&body, flexible)?;
    let mut reader = Reader::new(&body);
    let transactional = reader.nullable_string(flexible)?.is_some();
    let acks = reader.i16()?;
    reader.skip(4)?;
    let refused = match acks {
        _ if transactional => Some(ErrorCode::InvalidTxnState),
        -1..=1 => None,
        _ => Some(ErrorCode::InvalidRequiredAcks),
    };
    let frame = outbox.begin(call.header.correlation_id, call.header.tagged_response_header);
    let topics = reader.count(flexible)?;
    outbox.put_length(topics, flexible);
    for _ in 0..topics {
        let topic = reader.string(flexible)?;
        outbox.put_string(topic, flexible);
        let partitions = reader.count(flexible)?;
        outbox.put_length(partitions, flexible);
        for _ in 0..partitions {
            let index = reader.i32()?;
            let batch = reader.nullable_bytes(flexible)?.unwrap_or_default();
            reader.tags(flexible)?;
            let result = match refused {
                Some(error) => Err(error),
                None => append(core, call, topic, index, &batch),
            };
            write_partition(outbox, call.header.version, index, &result);
        }
        reader.tags(flexible)?;
        outbox.put_tags(flexible);
    }
    outbox.fields().put_i32(0);
    outbox.put_tags(flexible);
    if acks == 0 {
        outbox.abandon(&frame);
    } else {
        outbox.finish(frame);
    }
    Ok(Progress::Done)
}

/// Walks the whole request before the first append, so that a malformed one changes nothing.
fn check(body: &Bytes, flexible: bool) -> Result<(), Fatal> {
    let mut reader = Reader::new(body);
    reader.nullable_string(flexible)?;
    reader.skip(6)?;
    for _ in 0..reader.count(flexible)? {
        reader.string(flexible)?;
        for _ in 0..reader.count(flexible)? {
            reader.skip(4)?;
            let length = reader.length(flexible)?.unwrap_or(0);
            reader.skip(length)?;
            reader.tags(flexible)?;
        }
        reader.tags(flexible)?;
    }
    reader.tags(flexible)
}

fn append(
    core: &mut Core,
    call: &Call<'_>,
    topic: &str,
    index: i32,
    batch: &Bytes,
) -> Result<Appended, ErrorCode> {
    let found = core.topics.get_mut(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let (retention, limit) = (found.config.retention, found.config.max_message_bytes);
    let log_append_time = found.config.timestamps.log_append_time;
    if batch.len() > limit {
        return Err(ErrorCode::MessageTooLarge);
    }
    let mut header = BatchHeader::check(batch)?;
    check_records(&found.config, &header, batch, call.now.wall_ms)?;
    let partition = found.partition_mut(index)?;
    if let Admission::Duplicate { base_offset, timestamp } = partition.producers.admit(&header)? {
        let log_start_offset = partition.log.log_start_offset();
        return Ok(Appended { base_offset, log_append_time: timestamp, log_start_offset });
    }
    let stamped = log_append_time.then(|| stamp(batch, call.now.wall_ms));
    let batch = stamped.as_ref().unwrap_or(batch);
    if log_append_time {
        header = BatchHeader::read(batch);
    }
    let log_append_time = if log_append_time { header.max_timestamp } else { NO_TIMESTAMP };
    let base_offset = partition.log.append(&header, batch);
    partition.producers.appended(&header, base_offset);
    if retention.bytes.is_some() {
        partition.log.retain(retention, call.now.wall_ms);
    }
    let log_start_offset = partition.log.log_start_offset();
    if !partition.waiting.is_empty() {
        // The readers stay in place: each leaves by itself when it is resumed.
        let readers = std::mem::take(&mut partition.waiting);
        core.appended(&readers, batch.len());
        if let Ok(partition) = core.topics.partition_mut(topic, index) {
            partition.waiting = readers;
        }
    }
    Ok(Appended { base_offset, log_append_time, log_start_offset })
}

/// Checks what the topic demands of every record. Only unusual demands need the records themselves.
fn check_records(
    config: &TopicConfig,
    header: &BatchHeader,
    batch: &Bytes,
    wall_ms: i64,
) -> Result<(), ErrorCode> {
    let Timestamps { log_append_time, before_max_ms, after_max_ms } = config.timestamps;
    if log_append_time && header.log_append_time {
        return Err(ErrorCode::InvalidTimestamp);
    }
    if !log_append_time && header.max_timestamp.saturating_sub(wall_ms) > after_max_ms {
        return Err(ErrorCode::InvalidTimestamp);
    }
    let times_matter = !log_append_time && before_max_ms < i64::MAX;
    if !times_matter && !config.compacts {
        return Ok(());
    }
    let too_old = |timestamp: i64| {
        timestamp != NO_TIMESTAMP && wall_ms.saturating_sub(timestamp) > before_max_ms
    };
    let mut refused = None;
    let read = look_at_records(batch, |record| {
        if times_matter && too_old(record.timestamp) {
            refused = Some(ErrorCode::InvalidTimestamp);
        } else if config.compacts && !record.has_key {
            refused = Some(ErrorCode::InvalidRecord);
        }
        if refused.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    // What cannot be read is let through, as it is where nothing is demanded.
    drop(read);
    refused.map_or(Ok(()), Err)
}

fn write_partition(
    outbox: &mut Outbox,
    version: i16,
    index: i32,
    result: &Result<Appended, ErrorCode>,
) {
    let flexible = version >= FLEXIBLE_FROM;
    let fields = outbox.fields();
    fields.put_i32(index);
    fields.put_i16(code_of(result));
    fields.put_i64(result.as_ref().map_or(-1, |appended| appended.base_offset));
    fields.put_i64(result.as_ref().map_or(NO_TIMESTAMP, |appended| appended.log_append_time));
    if version >= 5 {
        fields.put_i64(result.as_ref().map_or(-1, |appended| appended.log_start_offset));
    }
    if version >= 8 {
        outbox.put_length(0, flexible);
        let message = match result {
            Err(ErrorCode::InvalidRecord) => {
                Some("one sound batch per partition; in a compacted topic, records with keys")
            }
            Err(ErrorCode::InvalidTimestamp) => Some("a timestamp is further off than allowed"),
            Err(ErrorCode::InvalidTxnState) => Some("this broker has no transactions"),
            _ => None,
        };
        outbox.put_nullable_string(message, flexible);
    }
    outbox.put_tags(flexible);
}
