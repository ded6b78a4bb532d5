//! The dashboard's pages, and the keys that open them.

/// What fills the screen between its first and its last lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    #[default]
    Overview,
    Http,
    WebSocket,
    Pipeline,
    Errors,
    Processes,
    Generator,
}

impl Page {
    /// In the order of their keys, from `0`.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Http,
        Self::WebSocket,
        Self::Pipeline,
        Self::Errors,
        Self::Processes,
        Self::Generator,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Http => "HTTP",
            Self::WebSocket => "WebSocket",
            Self::Pipeline => "pipeline",
            Self::Errors => "errors",
            Self::Processes => "processes",
            Self::Generator => "generator",
        }
    }

    fn place(self) -> usize {
        Self::ALL.iter().position(|page| *page == self).unwrap_or_default()
    }

    /// The page that a digit opens.
    pub(super) fn of_key(key: char) -> Option<Self> {
        Self::ALL.get(key.to_digit(10)? as usize).copied()
    }

    pub(super) fn next(self) -> Self {
        Self::ALL[(self.place() + 1) % Self::ALL.len()]
    }

    pub(super) fn previous(self) -> Self {
        Self::ALL[(self.place() + Self::ALL.len() - 1) % Self::ALL.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_key_and_a_neighbour() {
        for (key, page) in ('0'..).zip(Page::ALL) {
            assert_eq!(Page::of_key(key), Some(page));
            assert_eq!(page.next().previous(), page);
        }
        assert_eq!(Page::of_key('7'), None);
        assert_eq!(Page::of_key('x'), None);
        assert_eq!(Page::Generator.next(), Page::Overview);
    }
}
