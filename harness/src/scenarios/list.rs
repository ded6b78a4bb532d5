//! `doorbuster scenarios list`: what ships, and how much load it is.

use std::time::Duration;

use loadgen::estimate;
use loadgen::report::figures;
use loadgen::scenario::SHIPPED;

use super::load;
use crate::say;

/// Prints a line for each scenario that ships.
///
/// # Errors
/// One of them has mistakes, which a test rules out.
pub(super) fn list() -> anyhow::Result<()> {
    say::line(format_args!("{:20} {:>8} {:>10}  description", "name", "lasts", "peak rate"));
    for (name, _) in SHIPPED {
        let file = load(name)?.file;
        let lasts: Duration = file.phases.iter().map(|phase| phase.load_duration()).sum();
        let rate = file.phases.iter().map(estimate::peak_rate).fold(0.0, f64::max);
        let lasts = figures::duration(lasts);
        let rate = if rate > 0.0 { format!("{}/s", figures::count(rate)) } else { "-".into() };
        say::line(format_args!("{name:20} {lasts:>8} {rate:>10}  {}", file.description));
        if file.phases.len() > 1 {
            let phases: Vec<_> = file.phases.iter().map(|phase| phase.name.as_str()).collect();
            say::line(format_args!(
                "{:20} {:>8} {:>10}  phases: {}",
                "",
                "",
                "",
                phases.join(", ")
            ));
        }
    }
    Ok(())
}
