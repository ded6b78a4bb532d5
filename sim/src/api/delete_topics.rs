//! DeleteTopics, versions 1 to 6: by name, or by id since version 6. Fetches that wait in a deleted
//! topic are answered at once.

use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use uuid::Uuid;

use super::topic_name;
use crate::core::Core;
use crate::dispatch::Call;
use crate::error::{ErrorCode, code_of};
use crate::wire::shape::{Shape, fixed, structures, text, texts};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 4,
    fields: &[structures(&[text(), fixed(16)]).since(6), texts().until(5), fixed(4)],
};

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let by_either = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    if !core.config.is_true("delete.topic.enable") {
        let refused = by_name.chain(by_either).map(|(name, id)| {
            DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(id)
                .with_error_code(ErrorCode::TopicDeletionDisabled.code())
        });
        return DeleteTopicsResponse::default().with_responses(refused.collect());
    }
    let wanted: Vec<(Option<TopicName>, Uuid)> = by_name.chain(by_either).collect();
    let results = wanted.into_iter().map(|(name, id)| delete(core, name, id)).collect();
    DeleteTopicsResponse::default().with_responses(results)
}

fn delete(core: &mut Core, name: Option<TopicName>, id: Uuid) -> DeletableTopicResult {
    let found = match &name {
        Some(name) => Some(name.clone()),
        None => core.topics.name_of(id).map(|name| topic_name(&name)),
    };
    let id = found.as_ref().and_then(|name| core.topics.get(name)).map_or(id, |topic| topic.id);
    let deleted = match &found {
        Some(name) => core.delete_topic(name),
        None => Err(ErrorCode::UnknownTopicId),
    };
    DeletableTopicResult::default()
        .with_name(found)
        .with_topic_id(id)
        .with_error_code(code_of(&deleted))
}
