//! Numbers as people read them: three significant digits and the unit that fits.

use std::time::Duration;

use crate::metrics::{Unit, builtin};
use crate::threshold::{Aggregation, Threshold};

/// `850 µs`, `8.12 ms`, `1.25 s`, `2m03s`.
#[must_use]
pub(crate) fn milliseconds(ms: f64) -> String {
    let size = ms.abs();
    if size == 0.0 {
        "0 ms".to_owned()
    } else if size < 0.9995 {
        format!("{} µs", three_digits(ms * 1000.0))
    } else if size < 999.5 {
        format!("{} ms", three_digits(ms))
    } else if size < 60_000.0 {
        format!("{} s", three_digits(ms / 1000.0))
    } else {
        duration(Duration::from_secs_f64(size / 1000.0))
    }
}

/// `4.2s`, `42s`, `2m`, `2m03s`, `1h05m`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 if time.subsec_millis() > 0 && seconds < 10 => format!("{:.1}s", time.as_secs_f64()),
        0..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `999`, `12,345`, `1.23M`.
#[must_use]
pub fn count(number: f64) -> String {
    if number.abs() >= 9_999_999.5 {
        return format!("{}M", three_digits(number / 1e6));
    }
    if number.fract() != 0.0 && number.abs() < 100.0 {
        return three_digits(number);
    }
    let digits = format!("{:.0}", number.abs());
    let mut grouped = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if number <= -0.5 { format!("-{grouped}") } else { grouped }
}

/// `512 B`, `1.5 MB`.
#[must_use]
pub fn bytes(number: f64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.into_iter().find(|(_, size)| number.abs() >= size * 0.9995) {
        Some((unit, size)) => format!("{} {unit}", three_digits(number / size)),
        None => format!("{number:.0} B"),
    }
}

/// `99.95 %`; never rounds to 100 % what is less.
#[must_use]
pub(crate) fn percent(share: f64) -> String {
    let rounded = format!("{:.2}", share * 100.0);
    let shown = if rounded == "100.00" && share < 1.0 { "99.99" } else { &rounded };
    let trimmed = shown.trim_end_matches('0').trim_end_matches('.');
    format!("{trimmed} %")
}

/// A threshold's value, limit or margin in the unit that it has.
#[must_use]
pub(crate) fn threshold(threshold: &Threshold, value: f64) -> String {
    if threshold.expression.of_plan {
        return percent(value / 100.0);
    }
    let unit = builtin::find(&threshold.metric).map_or(Unit::Count, |metric| metric.unit);
    match (threshold.expression.aggregation, unit) {
        (Aggregation::Count, _) | (_, Unit::Count) => count(value),
        (Aggregation::Rate, Unit::Share) | (_, Unit::Share) => percent(value),
        (_, Unit::Bytes) => bytes(value),
        (_, Unit::Milliseconds) => milliseconds(value),
    }
}

/// Three significant digits, without trailing zeros behind the point.
pub(crate) fn three_digits(number: f64) -> String {
    let size = number.abs();
    let text = if size >= 99.95 {
        return format!("{number:.0}");
    } else if size >= 9.995 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_the_unit_that_fits() {
        let shown = [0.0, 0.0421, 0.9999, 8.125, 199.96, 999.6, 1250.0, 123_000.0];
        let texts = shown.map(milliseconds);
        assert_eq!(
            texts,
            ["0 ms", "42.1 µs", "1 ms", "8.12 ms", "200 ms", "1 s", "1.25 s", "2m03s"]
        );
        assert_eq!(duration(Duration::from_millis(1500)), "1.5s");
        assert_eq!(duration(Duration::from_secs(3900)), "1h05m");
    }

    #[test]
    fn counts_are_grouped() {
        let texts = [0.0, 999.0, 12_345.0, 59_999.7, -1234.0, 3.25, 12_340_000.0].map(count);
        assert_eq!(texts, ["0", "999", "12,345", "60,000", "-1,234", "3.25", "12.3M"]);
        assert_eq!(bytes(1_500_000.0), "1.5 MB");
        assert_eq!(bytes(512.0), "512 B");
    }

    #[test]
    fn a_share_below_one_never_looks_like_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999), "99.99 %");
        assert_eq!(percent(0.02), "2 %");
    }
}
