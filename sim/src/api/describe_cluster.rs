//! DescribeCluster, versions 0 to 2: a cluster of one.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::{CLUSTER_OPERATIONS, operations, text as string};
use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::wire::shape::{Shape, fixed};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 0, fields: &[fixed(1), fixed(1).since(1), fixed(1).since(2)] };

const BROKERS: i8 = 1;

pub(crate) fn answer(
    core: &mut Core,
    call: &Call<'_>,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let response = DescribeClusterResponse::default()
        .with_cluster_id(core.cluster_id.clone())
        .with_controller_id(BrokerId(BROKER_ID))
        .with_cluster_authorized_operations(operations(
            request.include_cluster_authorized_operations,
            CLUSTER_OPERATIONS,
        ));
    if request.endpoint_type != BROKERS {
        return response
            .with_error_code(ErrorCode::UnsupportedEndpointType.code())
            .with_error_message(Some(string("controllers have no endpoint of their own here")));
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(BROKER_ID))
        .with_host(call.origin.advertised_host.clone())
        .with_port(call.origin.advertised_port);
    response.with_brokers(vec![broker])
}
