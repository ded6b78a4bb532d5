//! The thresholds as they stand: value, margin, and whether they hold.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, Table};

use super::Scene;
use crate::report::figures;
use crate::threshold::ThresholdVerdict;
use crate::tui::state::{Standing, standing};

/// From this width on, margins have a column.
const WIDE: u16 = 60;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: Scene<'_>) {
    let Scene { dashboard, theme, .. } = scene;
    let holding = dashboard.thresholds.iter().filter(|verdict| verdict.ok).count();
    let title = Span::styled(
        format!("{holding}/{} hold", dashboard.thresholds.len()),
        if holding == dashboard.thresholds.len() { theme.good() } else { theme.warn() },
    );
    let block = theme.panel("thresholds", vec![title]);
    let inner = block.inner(area);
    let mut verdicts: Vec<&ThresholdVerdict> = dashboard.thresholds.iter().collect();
    if verdicts.len() > usize::from(inner.height) {
        // What is in trouble must be seen even where there is no room for all.
        verdicts.sort_by_key(|verdict| match standing(verdict) {
            Standing::Crossed => 0,
            Standing::Waiting => 1,
            Standing::Holds => 2,
        });
    }
    let is_wide = area.width >= WIDE;
    let margin_width = if is_wide { 10 } else { 0 };
    let name_width = inner.width.saturating_sub(1 + 1 + 1 + 9 + 1 + margin_width);
    let rows = verdicts.into_iter().map(|verdict| row(verdict, is_wide, name_width, scene));
    let widths = [
        Constraint::Length(1),
        Constraint::Length(name_width),
        Constraint::Length(9),
        Constraint::Length(margin_width),
    ];
    frame.render_widget(Table::new(rows, widths).column_spacing(1).block(block), area);
}

fn row(
    verdict: &ThresholdVerdict,
    is_wide: bool,
    name_width: u16,
    scene: Scene<'_>,
) -> Row<'static> {
    let theme = scene.theme;
    let shown = |value: f64| figures::threshold(&verdict.threshold, value);
    let standing = standing(verdict);
    let style = match standing {
        Standing::Crossed => theme.bad(),
        Standing::Waiting => theme.dim(),
        Standing::Holds => theme.strong(),
    };
    let value = verdict.value.map_or("no data".to_owned(), shown);
    let margin = match verdict.margin {
        Some(margin) if is_wide && margin > 0.0 => format!("+{}", shown(margin)),
        Some(margin) if is_wide && margin < 0.0 => shown(margin).replace('-', "−"),
        _ => String::new(),
    };
    let expression = verdict.threshold.expression.to_string();
    let name =
        shorten(&verdict.threshold.selector(), usize::from(name_width), expression.len() + 1);
    Row::new([
        Line::from(theme.standing(standing)),
        Line::from(vec![Span::raw(name), Span::styled(format!(" {expression}"), theme.dim())]),
        Line::styled(value, style).right_aligned(),
        Line::styled(margin, theme.dim()).right_aligned(),
    ])
}

/// A selector that leaves `reserved` of `width`: long ones lose their middle, because both the
/// metric's beginning and the tag's value tell them apart.
fn shorten(selector: &str, width: usize, reserved: usize) -> String {
    let room = width.saturating_sub(reserved);
    let length = selector.chars().count();
    if length <= room {
        return selector.to_owned();
    }
    let kept = room.saturating_sub(1);
    let head = kept / 2;
    let tail = kept - head;
    let start: String = selector.chars().take(head).collect();
    let end: String = selector.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn long_selectors_lose_their_middle() {
        assert_eq!(shorten("checks", 20, 10), "checks");
        assert_eq!(shorten("http_req_duration{name:order}", 30, 10), "http_req_…ame:order}");
        assert_eq!(shorten("checks", 3, 10), "…");
    }
}
