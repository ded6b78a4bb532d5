//! One file per API; `dispatch.rs` has the table of them. `SKIPPED.md` says what is left out.

pub(crate) mod alter_configs;
pub(crate) mod api_versions;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_groups;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;
pub(crate) mod describe_acls;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_groups;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_topic_partitions;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod heartbeat;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod join_group;
pub(crate) mod leave_group;
pub(crate) mod list_groups;
pub(crate) mod list_offsets;
pub(crate) mod list_partition_reassignments;
pub(crate) mod metadata;
pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod produce;
mod resource;
pub(crate) mod sync_group;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::config::Refusal;
use crate::core::BROKER_ID;
use crate::error::ErrorCode;

/// What a response says about authorized operations where it was not asked.
pub(crate) const NO_AUTHORIZED_OPERATIONS: i32 = i32::MIN;

/// Operations that access control lists can name, as bits. Without access control, everybody may do
/// everything.
const READ: i32 = 1 << 3;
const WRITE: i32 = 1 << 4;
const CREATE: i32 = 1 << 5;
const DELETE: i32 = 1 << 6;
const ALTER: i32 = 1 << 7;
const DESCRIBE: i32 = 1 << 8;
const CLUSTER_ACTION: i32 = 1 << 9;
const DESCRIBE_CONFIGS: i32 = 1 << 10;
const ALTER_CONFIGS: i32 = 1 << 11;
const IDEMPOTENT_WRITE: i32 = 1 << 12;

pub(crate) const TOPIC_OPERATIONS: i32 =
    READ | WRITE | CREATE | DELETE | ALTER | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS;
pub(crate) const GROUP_OPERATIONS: i32 =
    READ | DELETE | DESCRIBE | DESCRIBE_CONFIGS | ALTER_CONFIGS;
pub(crate) const CLUSTER_OPERATIONS: i32 = CREATE
    | ALTER
    | DESCRIBE
    | CLUSTER_ACTION
    | DESCRIBE_CONFIGS
    | ALTER_CONFIGS
    | IDEMPOTENT_WRITE;

/// The operations, if they were asked for.
pub(crate) fn operations(asked: bool, operations: i32) -> i32 {
    if asked { operations } else { NO_AUTHORIZED_OPERATIONS }
}

/// Each thing once, in the order in which they are named first: a request that names one thing a
/// hundred thousand times is small, and its response must not be gigabytes.
pub(crate) fn distinct<T, K: Ord>(named: Vec<T>, key: impl Fn(&T) -> K) -> impl Iterator<Item = T> {
    let mut seen = BTreeSet::new();
    named.into_iter().filter(move |thing| seen.insert(key(thing)))
}

/// Each thing once, in the order in which they are named first, and whether it is named again.
pub(crate) fn with_repeats<T, K: Ord>(
    named: &[T],
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = (&T, bool)> {
    let mut times: BTreeMap<K, usize> = BTreeMap::new();
    for thing in named {
        *times.entry(key(thing)).or_default() += 1;
    }
    named.iter().filter_map(move |thing| Some((thing, times.remove(&key(thing))? > 1)))
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Null where there is nothing to say.
fn message(why: &str) -> Option<StrBytes> {
    (!why.is_empty()).then(|| text(why))
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// The most topics that one request may create, or only ask about: each is answered at length.
const MAX_CREATED: usize = 10_000;

/// A manual assignment has to go on from partition `first` without a gap, in any order where it
/// names partitions, and name this broker for each. Returns how many partitions there are then.
fn check_assignment<'a>(
    first: usize,
    assigned: impl Iterator<Item = (Option<i32>, &'a [BrokerId])>,
) -> Result<usize, Refusal> {
    let mut indexes = BTreeSet::new();
    let mut count = first;
    let mut ours = true;
    for (index, brokers) in assigned {
        indexes.insert(index.unwrap_or(count as i32));
        ours &= matches!(brokers, [broker] if broker.0 == BROKER_ID);
        count += 1;
    }
    if ours && indexes.into_iter().eq(first as i32..count as i32) {
        return Ok(count);
    }
    let why = format!("each partition from {first} on has to be assigned to broker {BROKER_ID}");
    Err((ErrorCode::InvalidReplicaAssignment, why))
}
