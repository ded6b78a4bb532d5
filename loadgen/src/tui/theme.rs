//! Styles by meaning, in the terminal's own sixteen colours so that every theme fits.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType};

use super::state::{Health, Standing};

/// Colours, or none where nobody wants them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub color: bool,
}

impl Theme {
    pub(super) fn from_environment() -> Self {
        Self { color: crate::color::is_wanted() }
    }

    fn fg(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn dim(self) -> Style {
        if self.color {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn good(self) -> Style {
        self.fg(Color::Green)
    }

    pub(super) fn warn(self) -> Style {
        self.fg(Color::Yellow)
    }

    pub(super) fn bad(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn accent(self) -> Style {
        self.fg(Color::Cyan)
    }

    /// p50, p95 and p99, from calm to loud.
    pub(super) fn percentiles(self) -> [Style; 3] {
        [self.fg(Color::Green), self.fg(Color::Yellow), self.fg(Color::LightRed)]
    }

    /// A chart's points have a colour and nothing else.
    pub(super) fn plot(self, style: Style) -> Color {
        style.fg.filter(|_| self.color).unwrap_or(Color::Reset)
    }

    /// The name of the page that is open.
    pub(super) fn open_page(self) -> Style {
        self.accent().add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    pub(super) fn badge(self, health: Health) -> Style {
        let background = match health {
            Health::Ok => Color::Green,
            Health::Lagging => Color::Yellow,
            Health::Invalid => Color::Red,
        };
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.color {
            style.fg(Color::Black).bg(background)
        } else {
            style.add_modifier(Modifier::REVERSED)
        }
    }

    pub(super) fn standing(self, standing: Standing) -> Span<'static> {
        match standing {
            Standing::Holds => Span::styled("✓", self.good()),
            Standing::Waiting => Span::styled("·", self.warn()),
            Standing::Crossed => Span::styled("✗", self.bad()),
        }
    }

    /// A panel's frame with its title: a strong name, then figures.
    pub(super) fn panel<'a>(self, name: &'a str, figures: Vec<Span<'a>>) -> Block<'a> {
        let mut title = vec![Span::raw(" "), Span::styled(name, self.strong()), Span::raw(" ")];
        if !figures.is_empty() {
            title.push(Span::raw(" "));
            title.extend(figures);
            title.push(Span::raw(" "));
        }
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(self.dim())
            .title(Line::from(title))
    }
}
