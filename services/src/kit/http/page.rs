//! How much of a list is answered at once.

use super::ApiError;

/// Entries of one page where nothing else is said, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// The `limit` of a request for a list.
///
/// # Errors
/// 400 for what is no number between 1 and [`MAX_LIMIT`].
pub(crate) fn page_limit(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid("limit is not usable", format!("send a number from 1 to {MAX_LIMIT}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded() {
        assert_eq!(page_limit(None), Ok(DEFAULT_LIMIT));
        assert_eq!([page_limit(Some("1")), page_limit(Some("1000"))], [Ok(1), Ok(1000)]);
        for wrong in ["0", "1001", "-1", "", "ten", "99999999999999999999"] {
            assert!(page_limit(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
