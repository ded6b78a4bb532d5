//! Durations as k6 writes them: `"1m30s"`, `"500ms"`, `"1.5h"`, `"2d"`.

use std::time::Duration;

/// The longest duration that a scenario may name: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longer names come first where one is the beginning of another.
const UNITS: [(&str, f64); 8] = [
    ("ms", 1e-3),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ns", 1e-9),
    ("d", 86_400.0),
    ("h", 3600.0),
    ("m", 60.0),
    ("s", 1.0),
];

/// Reads a duration.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write it like \"1m30s\" or \"500ms\"");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let (name, scale) =
            UNITS.into_iter().find(|(name, _)| rest.starts_with(name)).ok_or_else(wrong)?;
        seconds += number * scale;
        rest = &rest[name.len()..];
    }
    if seconds > LONGEST.as_secs_f64() {
        return Err(format!("{text:?} is longer than a year"));
    }
    // Through nanoseconds, so that "100ms" is exactly that.
    Ok(Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// As [`parse`] reads it: `1m30s`, `500ms`, `1h`.
#[must_use]
pub fn text(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(time.subsec_millis()), "ms"),
    ];
    let some = parts.iter().filter(|(count, _)| *count > 0);
    let text: String = some.map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_k6_reads() {
        for (text, millis) in [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("1h2m3s4ms", 3_723_004),
            ("2d", 172_800_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("250us"), Ok(Duration::from_micros(250)));
    }

    #[test]
    fn what_is_written_reads_back() {
        for text in ["0s", "30s", "1m30s", "1h", "1h2m3s4ms", "500ms"] {
            assert_eq!(super::text(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "10", "s", "10 s", "-1s", "1x", "1.2.3s", "ten", "1s2", "1000d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
