//! Fetch, versions 4 to 12: batches as they were stored, or a wait until there are some.
//!
//! A fetch that finds less than min_bytes waits in its partitions and costs nothing until an
//! append wakes it or its time is up. What it answers with is read when it is answered, so
//! batches that arrive together go out together.
//!
//! There are no fetch sessions: every response carries session id 0, upon which clients send full
//! requests. An answer without records carries empty records, not null: librdkafka insists.

use std::sync::Arc;

use bytes::{BufMut, Bytes};

use crate::core::{Core, Progress};
use crate::dispatch::{Call, CallHeader};
use crate::error::{ErrorCode, code_of};
use crate::log::{LEADER_EPOCH, Stretch};
use crate::wire::{Fatal, Outbox, Reader};

const FLEXIBLE_FROM: i16 = 12;
/// The most that one response carries, whatever the client allows: it bounds what a slow reader
/// holds on to and for how long others wait. A single larger batch is the exception.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// The longest that a fetch waits, whatever the client asks for.
const MAX_WAIT_MS: u64 = 5 * 60 * 1_000;
const READ_COMMITTED: i8 = 1;

pub(crate) struct FetchRequest {
    max_wait_ms: u64,
    min_bytes: usize,
    max_bytes: usize,
    read_committed: bool,
    /// It goes on with a session, of which there are none.
    in_session: bool,
    topics: Vec<FetchTopic>,
}

struct FetchTopic {
    name: Arc<str>,
    partitions: Vec<FetchPartition>,
}

struct FetchPartition {
    index: i32,
    current_leader_epoch: i32,
    offset: i64,
    max_bytes: usize,
}

/// A fetch between its request and its response.
pub(crate) struct WaitingFetch {
    pub(crate) request: FetchRequest,
    pub(crate) header: CallHeader,
    pub(crate) deadline_ms: u64,
    pub(crate) missing_bytes: usize,
}

impl FetchRequest {
    pub(crate) fn positions(&self) -> impl Iterator<Item = (&str, i32)> {
        self.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| (&*topic.name, partition.index))
        })
    }

    /// Whether it asks for an offset before `start` of this partition.
    pub(crate) fn asks_before(&self, topic: &str, partition: i32, start: i64) -> bool {
        let topics = self.topics.iter().filter(|asked| &*asked.name == topic);
        let mut asked = topics.flat_map(|asked| &asked.partitions);
        asked.any(|asked| asked.index == partition && asked.offset < start)
    }
}

pub(crate) fn handle(
    core: &mut Core,
    call: &Call<'_>,
    body: Bytes,
    outbox: &mut Outbox,
) -> Result<Progress, Fatal> {
    let request = parse(core, &body, call.header.version)?;
    let plan = Plan::of(core, &request);
    let enough = plan.size_bytes >= request.min_bytes || plan.failed || request.max_wait_ms == 0;
    if enough || request.topics.is_empty() {
        plan.write(core, &request, &call.header, outbox);
        return Ok(Progress::Done);
    }
    let waiting = WaitingFetch {
        header: call.header,
        deadline_ms: call.now.monotonic_ms + request.max_wait_ms,
        missing_bytes: request.min_bytes - plan.size_bytes,
        request,
    };
    core.wait_for_records(call.origin.token, waiting);
    Ok(Progress::Waiting)
}

/// Answers a fetch that has waited long enough, with whatever there is.
pub(crate) fn respond(
    core: &Core,
    request: &FetchRequest,
    header: &CallHeader,
    outbox: &mut Outbox,
) {
    Plan::of(core, request).write(core, request, header, outbox);
}

fn parse(core: &Core, body: &Bytes, version: i16) -> Result<FetchRequest, Fatal> {
    let flexible = version >= FLEXIBLE_FROM;
    let mut reader = Reader::new(body);
    reader.skip(4)?;
    let max_wait_ms = u64::try_from(reader.i32()?).unwrap_or(0).min(MAX_WAIT_MS);
    let min_bytes = usize::try_from(reader.i32()?).unwrap_or(0).min(MAX_RESPONSE_BYTES);
    let max_bytes = usize::try_from(reader.i32()?).unwrap_or(0).min(MAX_RESPONSE_BYTES);
    let read_committed = reader.i8()? == READ_COMMITTED;
    let mut in_session = false;
    if version >= 7 {
        reader.skip(4)?;
        // Epoch 0 asks for a new session, -1 for none: both are full requests.
        in_session = reader.i32()? > 0;
    }
    let mut topics = Vec::new();
    for _ in 0..reader.count(flexible)? {
        let name = reader.string(flexible)?;
        let known = core.topics.get(name).map(|topic| topic.name.clone());
        let mut topic =
            FetchTopic { name: known.unwrap_or_else(|| Arc::from(name)), partitions: Vec::new() };
        for _ in 0..reader.count(flexible)? {
            topic.partitions.push(parse_partition(&mut reader, version, flexible)?);
        }
        reader.tags(flexible)?;
        topics.push(topic);
    }
    if version >= 7 {
        skip_forgotten_topics(&mut reader, flexible)?;
    }
    if version >= 11 {
        reader.nullable_string(flexible)?;
    }
    reader.tags(flexible)?;
    Ok(FetchRequest { max_wait_ms, min_bytes, max_bytes, read_committed, in_session, topics })
}

fn parse_partition(
    reader: &mut Reader<'_>,
    version: i16,
    flexible: bool,
) -> Result<FetchPartition, Fatal> {
    let index = reader.i32()?;
    let current_leader_epoch = if version >= 9 { reader.i32()? } else { -1 };
    let offset = reader.i64()?;
    if version >= 12 {
        reader.skip(4)?;
    }
    if version >= 5 {
        reader.skip(8)?;
    }
    let max_bytes = usize::try_from(reader.i32()?).unwrap_or(0);
    reader.tags(flexible)?;
    Ok(FetchPartition { index, current_leader_epoch, offset, max_bytes })
}

fn skip_forgotten_topics(reader: &mut Reader<'_>, flexible: bool) -> Result<(), Fatal> {
    for _ in 0..reader.count(flexible)? {
        reader.string(flexible)?;
        let partitions = reader.count(flexible)?;
        reader.skip(partitions.saturating_mul(4))?;
        reader.tags(flexible)?;
    }
    Ok(())
}

/// What a fetch would be answered with at this moment, partition by partition.
struct Plan {
    stretches: Vec<Result<Stretch, ErrorCode>>,
    size_bytes: usize,
    failed: bool,
}

impl Plan {
    fn of(core: &Core, request: &FetchRequest) -> Self {
        let mut plan = Self { stretches: Vec::new(), size_bytes: 0, failed: false };
        if request.in_session {
            plan.failed = true;
            return plan;
        }
        for topic in &request.topics {
            for partition in &topic.partitions {
                let stretch = plan.stretch(core, request.max_bytes, &topic.name, partition);
                match &stretch {
                    Ok(stretch) => plan.size_bytes += stretch.size_bytes,
                    Err(_) => plan.failed = true,
                }
                plan.stretches.push(stretch);
            }
        }
        plan
    }

    fn stretch(
        &self,
        core: &Core,
        max_bytes: usize,
        topic: &str,
        wanted: &FetchPartition,
    ) -> Result<Stretch, ErrorCode> {
        let partition = core.topics.partition(topic, wanted.index)?;
        if wanted.current_leader_epoch > LEADER_EPOCH {
            return Err(ErrorCode::UnknownLeaderEpoch);
        }
        let left = max_bytes.saturating_sub(self.size_bytes);
        let first = self.size_bytes == 0;
        partition.log.stretch(wanted.offset, wanted.max_bytes.min(left), first)
    }

    fn write(&self, core: &Core, request: &FetchRequest, header: &CallHeader, outbox: &mut Outbox) {
        let flexible = header.version >= FLEXIBLE_FROM;
        let frame = outbox.begin(header.correlation_id, header.tagged_response_header);
        outbox.fields().put_i32(0);
        let unknown_session = request.in_session;
        if header.version >= 7 {
            let error = if unknown_session { ErrorCode::FetchSessionIdNotFound.code() } else { 0 };
            outbox.fields().put_i16(error);
            outbox.fields().put_i32(0);
        }
        let topics = if unknown_session { &[][..] } else { &request.topics[..] };
        outbox.put_length(topics.len(), flexible);
        let mut stretches = self.stretches.iter();
        for topic in topics {
            outbox.put_string(&topic.name, flexible);
            outbox.put_length(topic.partitions.len(), flexible);
            for (partition, stretch) in topic.partitions.iter().zip(&mut stretches) {
                let read_committed = request.read_committed;
                let place = (&*topic.name, partition.index);
                write_partition(core, place, stretch, read_committed, header.version, outbox);
            }
            outbox.put_tags(flexible);
        }
        outbox.put_tags(flexible);
        outbox.finish(frame);
    }
}

fn write_partition(
    core: &Core,
    (topic, index): (&str, i32),
    stretch: &Result<Stretch, ErrorCode>,
    read_committed: bool,
    version: i16,
    outbox: &mut Outbox,
) {
    let flexible = version >= FLEXIBLE_FROM;
    let log = core.topics.partition(topic, index).ok().map(|partition| &partition.log);
    // A refused reader is told no offsets, as by Kafka: it asks ListOffsets where to go on.
    let log = log.filter(|_| stretch.is_ok());
    let high_watermark = log.map_or(-1, |log| log.high_watermark());
    let fields = outbox.fields();
    fields.put_i32(index);
    fields.put_i16(code_of(stretch));
    fields.put_i64(high_watermark);
    // Without transactions everything committed is stable.
    fields.put_i64(high_watermark);
    if version >= 5 {
        fields.put_i64(log.map_or(-1, |log| log.log_start_offset()));
    }
    if read_committed {
        outbox.put_length(0, flexible);
    } else {
        outbox.put_null_array(flexible);
    }
    if version >= 11 {
        outbox.fields().put_i32(-1);
    }
    match (log, stretch) {
        (Some(log), Ok(stretch)) => {
            outbox.put_length(stretch.size_bytes, flexible);
            log.write(stretch, outbox);
        }
        _ => outbox.put_length(0, flexible),
    }
    outbox.put_tags(flexible);
}
