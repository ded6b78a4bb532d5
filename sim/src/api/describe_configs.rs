//! DescribeConfigs, versions 1 to 4: the settings of topics that mean something here, and of the
//! broker the two that it shares with them.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::text as string;
use crate::core::{BROKER_ID, Core};
use crate::dispatch::Call;
use crate::error::ErrorCode;
use crate::topic_config::{Setting, SettingKind};
use crate::wire::shape::{Shape, fixed, structures, text, texts};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 4,
    fields: &[structures(&[fixed(1), text(), texts()]), fixed(1), fixed(1).since(3)],
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a setting comes from, in Kafka's numbers.
const FROM_TOPIC: i8 = 1;
const FROM_DEFAULT: i8 = 5;

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let synonyms = request.include_synonyms;
    let results = request.resources.iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match settings(core, resource) {
            Ok(settings) => {
                let settings = settings.into_iter().filter(|setting| wanted(resource, setting));
                result.with_configs(settings.map(|setting| show(setting, synonyms)).collect())
            }
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(Some(string(&why)))
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn settings(
    core: &Core,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Setting>, (ErrorCode, String)> {
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC => match core.topics.get(name) {
            Some(topic) => Ok(topic.config.settings()),
            None => Err((ErrorCode::UnknownTopicOrPartition, format!("no topic {name}"))),
        },
        BROKER if name.is_empty() || name == BROKER_ID.to_string() => {
            let partitions = core.default_partitions.to_string();
            let setting = |name, value, kind| Setting { name, value, given: false, kind };
            Ok(vec![
                setting("auto.create.topics.enable", "true".to_owned(), SettingKind::Text),
                setting("num.partitions", partitions, SettingKind::Integer),
            ])
        }
        _ => Err((ErrorCode::InvalidRequest, format!("no such resource: {name}"))),
    }
}

fn wanted(resource: &DescribeConfigsResource, setting: &Setting) -> bool {
    let keys = resource.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.iter().any(|key| key.as_str() == setting.name)
}

fn show(setting: Setting, with_synonyms: bool) -> DescribeConfigsResourceResult {
    let source = if setting.given { FROM_TOPIC } else { FROM_DEFAULT };
    let name = string(setting.name);
    let value = Some(string(&setting.value));
    let synonym = DescribeConfigsSynonym::default()
        .with_name(name.clone())
        .with_value(value.clone())
        .with_source(source);
    DescribeConfigsResourceResult::default()
        .with_name(name)
        .with_value(value)
        .with_config_source(source)
        .with_config_type(setting.kind as i8)
        .with_synonyms(if with_synonyms { vec![synonym] } else { Vec::new() })
}
