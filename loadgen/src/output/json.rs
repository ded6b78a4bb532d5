//! `json=FILE`: a JSON object a line, for each series and second in which it had samples.
//!
//! ```json
//! {"time":"…Z","run":"smoke","phase":"shop","metric":"http_reqs","type":"counter","tags":{…},"values":{"count":40,"rate":40.0}}
//! ```
//!
//! | type | values |
//! |---|---|
//! | counter | `count`, `rate` (per second) |
//! | gauge | `value` |
//! | rate | `passes`, `fails`, `rate` |
//! | trend | `count`, `avg`, `min`, `med`, `max`, `p(90)`, `p(95)`, `p(99)`; milliseconds |

use std::fs::File;
use std::io::{self, BufWriter, Write};

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::{Changed, Output, Tick, changes};

struct Json(BufWriter<File>);

pub(super) fn open(target: &str) -> io::Result<Box<dyn Output>> {
    Ok(Box::new(Json(BufWriter::new(File::create(target)?))))
}

impl Output for Json {
    fn write(&mut self, tick: &Tick<'_>) -> io::Result<()> {
        let time = tick.at().to_rfc3339_opts(SecondsFormat::Millis, true);
        for change in changes(tick.before, tick.now) {
            let (kind, values) = values(&change.changed);
            let line = json!({
                "time": time,
                "run": tick.run,
                "phase": tick.phase,
                "metric": &*change.key.metric,
                "type": kind,
                "tags": &*change.key.tags,
                "values": values,
            });
            serde_json::to_writer(&mut self.0, &line)?;
            self.0.write_all(b"\n")?;
        }
        self.0.flush()
    }
}

fn values(changed: &Changed) -> (&'static str, Value) {
    match changed {
        Changed::Counter { count, per_second } => {
            ("counter", json!({ "count": count, "rate": per_second }))
        }
        Changed::Gauge(value) => ("gauge", json!({ "value": value })),
        Changed::Rate(rate) => {
            let fails = rate.total - rate.passes;
            ("rate", json!({ "passes": rate.passes, "fails": fails, "rate": rate.share() }))
        }
        Changed::Trend(trend) => (
            "trend",
            json!({
                "count": trend.count(),
                "avg": trend.avg_ms(),
                "min": trend.min_ms(),
                "med": trend.percentile_ms(50.0),
                "max": trend.max_ms(),
                "p(90)": trend.percentile_ms(90.0),
                "p(95)": trend.percentile_ms(95.0),
                "p(99)": trend.percentile_ms(99.0),
            }),
        ),
    }
}
