//! Tables that leave out what there is no room for.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Row, Table};

/// The first column, with names, is at least so wide before another one is shown.
const NAME_WIDTH: u16 = 12;

/// A column of figures.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) width: u16,
    pub(super) is_text: bool,
}

impl Column {
    pub(super) const fn figure(title: &'static str, width: u16) -> Self {
        Self { title, width, is_text: false }
    }

    pub(super) const fn text(title: &'static str, width: u16) -> Self {
        Self { title, width, is_text: true }
    }
}

/// Columns from the most important to the least: the last go first where room is short.
pub(super) struct Figures<'a> {
    pub(super) name: &'a str,
    pub(super) columns: &'a [Column],
    /// A name and a cell for each column.
    pub(super) rows: Vec<(Span<'a>, Vec<Span<'a>>)>,
}

impl<'a> Figures<'a> {
    pub(super) fn draw(self, frame: &mut Frame<'_>, area: Rect, block: Block<'_>, head: Style) {
        let mut left = block.inner(area).width.saturating_sub(NAME_WIDTH + 1);
        let fits = |column: &&Column| match left.checked_sub(column.width + 1) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let shown = self.columns.iter().take_while(fits).copied().collect::<Vec<_>>();
        let aligned = |column: &Column, cell: Span<'a>| {
            let line = Line::from(cell);
            if column.is_text { line } else { line.right_aligned() }
        };
        let titles = shown.iter().map(|column| aligned(column, Span::styled(column.title, head)));
        let name = Line::styled(format!(" {}", self.name), head);
        let mut rows = vec![Row::new(std::iter::once(name).chain(titles))];
        for (name, cells) in self.rows {
            let name = Line::from(vec![Span::raw(" "), name]);
            let cells = shown.iter().zip(cells).map(|(column, cell)| aligned(column, cell));
            rows.push(Row::new(std::iter::once(name).chain(cells)));
        }
        let widths = shown.iter().map(|column| Constraint::Length(column.width));
        let widths = std::iter::once(Constraint::Fill(1)).chain(widths);
        frame.render_widget(Table::new(rows, widths).column_spacing(1).block(block), area);
    }
}
