//! Lines for people. Whoever no longer reads them (`| head`, a terminal that was closed) must not end what
//! goes on behind: the standard macros panic then.

use std::fmt::Display;
use std::io::Write as _;

/// Writes `text` and the end of the line to standard output.
pub fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes `text` as it is to standard output.
pub fn text(text: impl Display) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// Writes `text` as it is to standard error, at once.
pub fn aside(text: impl Display) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
