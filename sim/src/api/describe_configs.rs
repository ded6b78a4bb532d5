//! DescribeConfigs, versions 1 to 4: the settings of topics and of the broker, each with where its
//! value comes from and which others would hold without it.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::resource::Resource;
use super::{distinct, text as string};
use crate::config::{Shown, Synonym};
use crate::core::Core;
use crate::dispatch::Call;
use crate::wire::shape::{Shape, fixed, structures, text, texts};

pub(crate) const SHAPE: Shape = Shape {
    flexible_from: 4,
    fields: &[structures(&[fixed(1), text(), texts()]), fixed(1), fixed(1).since(3)],
};

pub(crate) fn answer(
    core: &mut Core,
    _: &Call<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let with = (request.include_synonyms, request.include_documentation);
    let resources =
        distinct(request.resources, |named| (named.resource_type, named.resource_name.clone()));
    let results = resources.map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match Resource::find(core, resource.resource_type, &resource.resource_name) {
            Ok(found) => {
                let settings = found.shown(core).into_iter();
                let settings = settings.filter(|setting| wanted(&resource, setting));
                result
                    .with_error_message(Some(string("")))
                    .with_configs(settings.map(|setting| show(setting, with)).collect())
            }
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(Some(string(&why)))
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn wanted(resource: &DescribeConfigsResource, setting: &Shown) -> bool {
    let keys = resource.configuration_keys.as_deref();
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| &**key == setting.name))
}

fn show(
    setting: Shown,
    (with_synonyms, with_documentation): (bool, bool),
) -> DescribeConfigsResourceResult {
    let is_sensitive = setting.is_sensitive();
    let synonyms = setting.synonyms.iter().filter(|_| with_synonyms);
    let synonyms = synonyms.map(|synonym| show_synonym(synonym, is_sensitive)).collect();
    let documentation = with_documentation.then(|| string(setting.documentation));
    DescribeConfigsResourceResult::default()
        .with_name(string(setting.name))
        .with_value(setting.value.as_deref().map(string))
        .with_read_only(setting.read_only)
        .with_config_source(setting.source as i8)
        .with_is_sensitive(is_sensitive)
        .with_config_type(setting.rule.kind())
        .with_documentation(documentation)
        .with_synonyms(synonyms)
}

fn show_synonym(synonym: &Synonym, is_sensitive: bool) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(string(synonym.name))
        .with_value((!is_sensitive).then(|| string(&synonym.value)))
        .with_source(synonym.source as i8)
}
