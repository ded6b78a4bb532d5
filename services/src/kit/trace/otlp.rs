//! Spans as OTLP/HTTP takes them in JSON (opentelemetry-proto, `ExportTraceServiceRequest`).

use contract::Timestamp;
use serde_json::{Value, json};

use super::span::Finished;

/// OTLP's `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// One request's body.
pub(super) fn request(service: &str, instance: &str, spans: &[Finished]) -> Value {
    let resource = [
        attribute("service.name", service),
        attribute("service.instance.id", instance),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
    ];
    json!({
        "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{
                "scope": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
                "spans": spans.iter().map(span).collect::<Vec<_>>(),
            }],
        }],
    })
}

fn span(span: &Finished) -> Value {
    let attributes = span.attributes.iter().map(|(name, value)| attribute(name, value));
    let mut json = json!({
        "traceId": format!("{:032x}", span.context.trace_id),
        "spanId": format!("{:016x}", span.context.span_id),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanoseconds(span.began),
        "endTimeUnixNano": nanoseconds(span.ended.max(span.began)),
        "attributes": attributes.collect::<Vec<_>>(),
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = format!("{parent:016x}").into();
    }
    if span.failed {
        json["status"] = json!({ "code": ERROR });
    }
    json
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// 64-bit integers are strings in protobuf's JSON.
fn nanoseconds(time: Timestamp) -> String {
    time.timestamp_nanos_opt().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::context::TraceContext;
    use super::super::span::Kind;
    use super::*;

    #[test]
    fn a_span_is_written_as_the_protocol_has_it() {
        let began = Timestamp::from_timestamp_nanos(1_750_000_000_000_000_001);
        let finished = Finished {
            context: TraceContext { trace_id: 0xabc, span_id: 0xdef, sampled: true },
            parent: Some(0x12),
            name: "POST /order".into(),
            kind: Kind::Server,
            began,
            ended: Timestamp::from_timestamp_nanos(1_750_000_000_000_000_500),
            attributes: vec![("http.route", "/order".into())],
            failed: true,
        };
        let request = request("order", "1", std::slice::from_ref(&finished));
        let span = &request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "00000000000000000000000000000abc");
        assert_eq!(span["spanId"], "0000000000000def");
        assert_eq!(span["parentSpanId"], "0000000000000012");
        assert_eq!(span["kind"], 2);
        assert_eq!(span["startTimeUnixNano"], "1750000000000000001");
        assert_eq!(span["endTimeUnixNano"], "1750000000000000500");
        assert_eq!(span["status"]["code"], 2);
        assert_eq!(span["attributes"][0]["value"]["stringValue"], "/order");
        let service = &request["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(service["value"]["stringValue"], "order");

        let root = Finished { parent: None, failed: false, ..finished };
        let request = super::request("order", "1", &[root]);
        let span = &request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert!(span.get("parentSpanId").is_none() && span.get("status").is_none());
    }
}
