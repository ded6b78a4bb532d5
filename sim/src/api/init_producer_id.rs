//! InitProducerId, versions 0 to 5: a new id for an idempotent producer. There are no transactions,
//! so a transactional id is refused.

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::core::Core;
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::wire::shape::{Shape, fixed, text};

pub(crate) const SHAPE: Shape =
    Shape { flexible_from: 2, fields: &[text(), fixed(4), fixed(8).since(3), fixed(2).since(3)] };

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let response = InitProducerIdResponse::default();
    // A producer knows both its id and its epoch, or neither.
    let half_known = (request.producer_id.0 < 0) != (request.producer_epoch < 0);
    if request.transactional_id.is_some() || half_known {
        return response
            .with_error_code(ErrorCode::InvalidRequest.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
    }
    response.with_producer_id(ProducerId(core.new_producer_id())).with_producer_epoch(0)
}
