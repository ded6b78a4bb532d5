//! FindCoordinator, versions 0 to 4: for groups it is always this broker. Transactions have none.

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::wire::shape::{Shape, fixed, text, texts};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 3, fields: &[text().until(3), fixed(1).since(1), texts().since(4)] };

const GROUP: i8 = 0;
/// First version that asks for several at once.
const BATCHED_FROM: i16 = 4;

pub(crate) fn answer(
    _: &mut Core,
    call: &Call<'_>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let refused = (request.key_type != GROUP).then(|| {
        let message = StrBytes::from_static_str("only groups have a coordinator here");
        (ErrorCode::InvalidRequest.code(), message)
    });
    let origin = call.origin;
    if call.header.version >= BATCHED_FROM {
        let coordinators = request.coordinator_keys.into_iter().map(|key| {
            let coordinator = Coordinator::default().with_key(key);
            match &refused {
                None => coordinator
                    .with_node_id(BrokerId(BROKER_ID))
                    .with_host(origin.advertised_host.clone())
                    .with_port(origin.advertised_port),
                Some((error, message)) => coordinator
                    .with_node_id(BrokerId(-1))
                    .with_port(-1)
                    .with_error_code(*error)
                    .with_error_message(Some(message.clone())),
            }
        });
        return FindCoordinatorResponse::default().with_coordinators(coordinators.collect());
    }
    match refused {
        None => FindCoordinatorResponse::default()
            .with_node_id(BrokerId(BROKER_ID))
            .with_host(origin.advertised_host.clone())
            .with_port(origin.advertised_port),
        Some((error, message)) => FindCoordinatorResponse::default()
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(error)
            .with_error_message(Some(message)),
    }
}
