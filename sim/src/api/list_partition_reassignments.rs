//! ListPartitionReassignments, version 0: with one broker, nothing ever moves. kafka-topics asks.

use kafka_protocol::messages::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use crate::core::Core;
use crate::dispatch::Call;
use crate::wire::shape::{Shape, fixed, fixed_array, structures, text};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 0, fields: &[fixed(4), structures(&[text(), fixed_array(4)])] };

pub(crate) fn answer(
    _: &mut Core,
    _: &Call<'_>,
    _: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}
