//! The one table of APIs. What a request is answered with and what ApiVersions advertises both
//! come from it, so they cannot differ.

use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::messages as m;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};

use crate::api;
use crate::clock::Now;
use crate::core::{Core, Origin, Progress};
use crate::wire::shape::Shape;
use crate::wire::{Fatal, Outbox, Reader};

/// Requests that `kafka-protocol` decodes have no business being larger: only Produce carries data.
const MAX_DECODED_REQUEST_BYTES: usize = 8 * 1024 * 1024;

type Handler = fn(&mut Core, &Call<'_>, Bytes, &mut Outbox) -> Result<Progress, Fatal>;

/// One row of the table.
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) versions: RangeInclusive<i16>,
    /// The minimum that ApiVersions shows.
    pub(crate) advertised_from: i16,
    request_header_version: fn(i16) -> i16,
    response_header_version: fn(i16) -> i16,
    handler: Handler,
}

/// One request on its way to its handler, without the body.
pub(crate) struct Call<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) client_id: &'a str,
    pub(crate) now: Now,
    pub(crate) header: CallHeader,
}

/// What the response to a request must know of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallHeader {
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) tagged_response_header: bool,
}

macro_rules! apis {
    ($($request:ident $versions:expr, $advertised_from:expr => $kind:ident $module:ident;)*) => {
        /// Every API that this broker serves; the busiest first.
        pub(crate) static APIS: &[Api] = &[$(Api {
            key: <m::$request as Request>::KEY,
            versions: $versions,
            advertised_from: $advertised_from,
            request_header_version: <m::$request as HeaderVersion>::header_version,
            response_header_version:
                <<m::$request as Request>::Response as HeaderVersion>::header_version,
            handler: apis!(@$kind $module),
        }),*];
    };
    // Reads its own body and writes its own response.
    (@raw $module:ident) => { api::$module::handle };
    // Is decoded, answered and encoded here.
    (@at_once $module:ident) => {
        |core, call, body, outbox| {
            let request = decode(stringify!($module), &api::$module::SHAPE, call, body)?;
            let response = api::$module::answer(core, call, request);
            encode(&response, &call.header, outbox)?;
            Ok(Progress::Done)
        }
    };
    // Is decoded here and may be answered later.
    (@later $module:ident) => {
        |core, call, body, outbox| {
            let request = decode(stringify!($module), &api::$module::SHAPE, call, body)?;
            api::$module::handle(core, call, request, outbox)
        }
    };
}

apis! {
    // Old librdkafka stops compressing when 0 is not advertised; Kafka registers it likewise.
    ProduceRequest 3..=12, 0 => raw produce;
    FetchRequest 4..=12, 4 => raw fetch;
    ListOffsetsRequest 1..=10, 1 => at_once list_offsets;
    MetadataRequest 0..=12, 0 => at_once metadata;
    OffsetCommitRequest 2..=9, 2 => at_once offset_commit;
    OffsetFetchRequest 1..=9, 1 => at_once offset_fetch;
    FindCoordinatorRequest 0..=4, 0 => at_once find_coordinator;
    JoinGroupRequest 0..=9, 0 => later join_group;
    HeartbeatRequest 0..=4, 0 => at_once heartbeat;
    LeaveGroupRequest 0..=5, 0 => at_once leave_group;
    SyncGroupRequest 0..=5, 0 => later sync_group;
    DescribeGroupsRequest 0..=6, 0 => at_once describe_groups;
    ListGroupsRequest 0..=5, 0 => at_once list_groups;
    ApiVersionsRequest 0..=4, 0 => at_once api_versions;
    CreateTopicsRequest 2..=7, 2 => at_once create_topics;
    DeleteTopicsRequest 1..=6, 1 => at_once delete_topics;
    InitProducerIdRequest 0..=5, 0 => at_once init_producer_id;
    OffsetForLeaderEpochRequest 2..=4, 2 => at_once offset_for_leader_epoch;
    DescribeConfigsRequest 1..=4, 1 => at_once describe_configs;
    DescribeClusterRequest 0..=2, 0 => at_once describe_cluster;
    DeleteRecordsRequest 0..=2, 0 => at_once delete_records;
    DescribeAclsRequest 1..=3, 1 => at_once describe_acls;
    AlterConfigsRequest 0..=2, 0 => at_once alter_configs;
    DescribeLogDirsRequest 1..=4, 1 => at_once describe_log_dirs;
    CreatePartitionsRequest 0..=3, 0 => at_once create_partitions;
    DeleteGroupsRequest 0..=2, 0 => at_once delete_groups;
    IncrementalAlterConfigsRequest 0..=1, 0 => at_once incremental_alter_configs;
    OffsetDeleteRequest 0..=0, 0 => at_once offset_delete;
    DescribeProducersRequest 0..=0, 0 => at_once describe_producers;
    DescribeTopicPartitionsRequest 0..=0, 0 => at_once describe_topic_partitions;
    ListPartitionReassignmentsRequest 0..=0, 0 => at_once list_partition_reassignments;
}

/// Reads the header of `frame` (without its size) and hands the body to its API.
pub(crate) fn dispatch(
    core: &mut Core,
    origin: &Origin,
    frame: &Bytes,
    now: Now,
    outbox: &mut Outbox,
) -> Result<Progress, Fatal> {
    let mut reader = Reader::new(frame);
    let (key, version) = (reader.i16()?, reader.i16()?);
    let correlation_id = reader.i32()?;
    let api = APIS.iter().find(|api| api.key == key).ok_or(Fatal::UnknownApi(key))?;
    if !api.versions.contains(&version) {
        if key == <m::ApiVersionsRequest as Request>::KEY {
            // KIP-511: a client that is too new is told what there is, in the oldest words.
            let header = CallHeader { version: 0, correlation_id, tagged_response_header: false };
            encode(&api::api_versions::unsupported_version(), &header, outbox)?;
            return Ok(Progress::Done);
        }
        return Err(Fatal::UnsupportedVersion { key, version });
    }
    let client_id = reader.nullable_string(false)?.unwrap_or_default();
    reader.tags((api.request_header_version)(version) >= 2)?;
    let header = CallHeader {
        version,
        correlation_id,
        tagged_response_header: (api.response_header_version)(version) >= 1,
    };
    let call = Call { origin, client_id, now, header };
    (api.handler)(core, &call, frame.slice(reader.position()..), outbox)
}

fn decode<R: Decodable>(
    api: &'static str,
    shape: &Shape,
    call: &Call<'_>,
    mut body: Bytes,
) -> Result<R, Fatal> {
    if body.len() > MAX_DECODED_REQUEST_BYTES {
        let length = body.len() as i64;
        return Err(Fatal::FrameTooLarge { length, limit: MAX_DECODED_REQUEST_BYTES });
    }
    shape.check(call.header.version, &body)?;
    R::decode(&mut body, call.header.version)
        .map_err(|error| Fatal::Undecodable { api, cause: error.to_string() })
}

/// Writes one response frame.
pub(crate) fn encode<R: Encodable>(
    response: &R,
    header: &CallHeader,
    outbox: &mut Outbox,
) -> Result<(), Fatal> {
    let frame = outbox.begin(header.correlation_id, header.tagged_response_header);
    if let Err(error) = response.encode(outbox.fields(), header.version) {
        outbox.abandon(&frame);
        return Err(Fatal::Unencodable(error.to_string()));
    }
    outbox.finish(frame);
    Ok(())
}
