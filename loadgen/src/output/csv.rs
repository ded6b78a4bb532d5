//! `csv=FILE`: a row for each series and second in which it had samples. Cells that its type does not have are
//! empty; times are milliseconds; `tags` is `name=order;status=201`.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use chrono::SecondsFormat;

use super::{Changed, Output, Tick, changes};

const HEADER: &str =
    "time,run,phase,metric,type,tags,count,rate,value,avg,min,med,max,p90,p95,p99\n";

struct Csv(BufWriter<File>);

pub(super) fn open(target: &str) -> io::Result<Box<dyn Output>> {
    let mut file = BufWriter::new(File::create(target)?);
    file.write_all(HEADER.as_bytes())?;
    file.flush()?;
    Ok(Box::new(Csv(file)))
}

impl Output for Csv {
    fn write(&mut self, tick: &Tick<'_>) -> io::Result<()> {
        let time = tick.at().to_rfc3339_opts(SecondsFormat::Millis, true);
        for change in changes(tick.before, tick.now) {
            let tags: Vec<_> =
                change.key.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let (run, phase, metric) = (cell(tick.run), cell(tick.phase), cell(&change.key.metric));
            let (kind, values) = values(&change.changed);
            let tags = cell(&tags.join(";"));
            writeln!(self.0, "{time},{run},{phase},{metric},{kind},{tags},{values}")?;
        }
        self.0.flush()
    }
}

/// From `count` to `p99`.
fn values(changed: &Changed) -> (&'static str, String) {
    match changed {
        Changed::Counter { count, per_second } => {
            ("counter", format!("{count},{per_second:.3},,,,,,,,"))
        }
        Changed::Gauge(value) => ("gauge", format!(",,{value},,,,,,,")),
        Changed::Rate(rate) => ("rate", format!("{},{:.6},,,,,,,,", rate.total, rate.share())),
        Changed::Trend(trend) => {
            let at = |percentile| trend.percentile_ms(percentile);
            let times = [
                trend.avg_ms(),
                trend.min_ms(),
                at(50.0),
                trend.max_ms(),
                at(90.0),
                at(95.0),
                at(99.0),
            ];
            let times: Vec<_> = times.iter().map(|ms| format!("{ms:.3}")).collect();
            ("trend", format!("{},,,{}", trend.count(), times.join(",")))
        }
    }
}

/// Quoted where it has to be (RFC 4180).
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{RateTotal, TrendTotal};

    #[test]
    fn every_row_has_the_headers_cells() {
        let columns = HEADER.matches(',').count();
        for changed in [
            Changed::Counter { count: 3, per_second: 1.5 },
            Changed::Gauge(2.0),
            Changed::Rate(RateTotal { passes: 1, total: 3 }),
            Changed::Trend(TrendTotal::default()),
        ] {
            let (_, values) = values(&changed);
            assert_eq!(values.matches(',').count(), columns - 6, "{values}");
        }
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
