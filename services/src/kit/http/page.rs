//! Lists that are answered page by page.

use serde::Deserialize;

use super::ApiError;

/// Entries of one page where nothing else is said, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// What a request says of the page that it wants.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    after: Option<String>,
    limit: Option<String>,
}

impl Wanted {
    /// `place` reads the place that the page before ended at.
    ///
    /// # Errors
    /// Those of `place`, and 400 for a limit that is no number between 1 and [`MAX_LIMIT`].
    pub(crate) fn page<P>(
        self,
        place: impl FnOnce(&str) -> Result<P, ApiError>,
    ) -> Result<Page<P>, ApiError> {
        let limit = limit(self.limit.as_deref())?;
        Ok(Page { after: self.after.as_deref().map(place).transpose()?, limit })
    }
}

/// A page of a list that is ordered by `P`.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<P> {
    pub(crate) after: Option<P>,
    limit: usize,
}

impl<P> Page<P> {
    /// How many entries to look up: one more than is shown tells whether there is a next page.
    pub(crate) const fn look_up(&self) -> usize {
        self.limit + 1
    }

    /// Of the entries that were looked up those to show, and the place to go on after when there are more.
    pub(crate) fn cut<T>(
        &self,
        mut entries: Vec<T>,
        place: impl FnOnce(&T) -> P,
    ) -> (Vec<T>, Option<P>) {
        let more = entries.len() > self.limit;
        entries.truncate(self.limit);
        let next = entries.last().filter(|_| more).map(place);
        (entries, next)
    }
}

fn limit(text: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid("limit is not usable", format!("send a number from 1 to {MAX_LIMIT}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<usize, ApiError> {
        text.parse().map_err(|_| ApiError::invalid("no number", ""))
    }

    fn page(after: Option<&str>, limit: Option<&str>) -> Result<Page<usize>, ApiError> {
        let wanted = Wanted { after: after.map(str::to_owned), limit: limit.map(str::to_owned) };
        wanted.page(number)
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!(page(None, None), Ok(Page { after: None, limit: DEFAULT_LIMIT }));
        assert_eq!(page(Some("7"), Some("1000")), Ok(Page { after: Some(7), limit: 1000 }));
        for wrong in ["0", "1001", "-1", "", "ten", "99999999999999999999"] {
            assert!(page(None, Some(wrong)).is_err(), "{wrong}");
        }
        assert!(page(Some("seven"), None).is_err());
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let (all, mut shown, mut after) = ([10, 20, 30, 40], Vec::new(), None);
        loop {
            let page = Page { after, limit: 2 };
            let rest = all.into_iter().filter(|entry| after.is_none_or(|after| *entry > after));
            let (entries, next) = page.cut(rest.take(page.look_up()).collect(), |last| *last);
            assert_eq!(entries.len(), 2);
            shown.extend(entries);
            if next.is_none() {
                break;
            }
            after = next;
        }
        assert_eq!(shown, all);
    }
}
