//! The dashboard at the sizes that people have, compared with how it looked when it was good.

use std::sync::Arc;
use std::time::Duration;

use loadgen::tui::{self, Dashboard};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::run::Run;

fn screen(dashboard: &Dashboard, width: u16, height: u16, color: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
    terminal.draw(|frame| tui::draw(frame, dashboard, color)).expect("drawing into memory");
    terminal
}

#[test]
fn at_120_by_40() {
    insta::assert_snapshot!(screen(&Run::at(45).dashboard(), 120, 40, true).backend());
}

#[test]
fn at_80_by_24() {
    insta::assert_snapshot!(screen(&Run::at(45).dashboard(), 80, 24, true).backend());
}

#[test]
fn before_anything_happened() {
    insta::assert_snapshot!(screen(&Run::new().dashboard(), 80, 24, true).backend());
}

#[test]
fn tiny() {
    let dashboard = Run::at(45).dashboard();
    insta::assert_snapshot!(screen(&dashboard, 40, 12, true).backend());
    insta::assert_snapshot!(screen(&dashboard, 20, 4, true).backend());
}

#[test]
fn no_size_makes_it_panic() {
    let dashboard = Run::at(35).dashboard();
    let empty = Run::new().dashboard();
    for width in [1, 2, 5, 13, 30, 65, 66, 67, 99, 100, 101, 200] {
        for height in [1, 2, 3, 7, 17, 18, 22, 31, 32, 33, 60] {
            screen(&dashboard, width, height, true);
            screen(&empty, width, height, false);
        }
    }
}

#[test]
fn colours_mean_something_and_can_be_left_out() {
    let mut dashboard = Run::at(45).dashboard();
    let colors = |terminal: &Terminal<TestBackend>| {
        let cells = terminal.backend().buffer().content();
        cells.iter().flat_map(|cell| [cell.fg, cell.bg]).collect::<Vec<Color>>()
    };
    let plain = screen(&dashboard, 120, 40, false);
    assert!(colors(&plain).iter().all(|color| *color == Color::Reset));
    let healthy = screen(&dashboard, 120, 40, true);
    assert!(colors(&healthy).contains(&Color::Green));
    dashboard.validity.valid = false;
    let invalid = screen(&dashboard, 120, 40, true);
    let text = invalid.backend().to_string();
    assert!(text.contains("INVALID"), "{text}");
    assert!(colors(&invalid).iter().filter(|color| **color == Color::Red).count() > 8);
}

#[test]
fn a_generator_near_its_limit_is_called_lagging() {
    let mut dashboard = Run::at(45).dashboard();
    assert!(screen(&dashboard, 80, 24, true).backend().to_string().contains(" OK "));
    dashboard.validity.send_lag_p99 = Duration::from_millis(6);
    assert!(screen(&dashboard, 80, 24, true).backend().to_string().contains(" LAGGING "));
}

#[test]
fn one_line_says_it_without_a_terminal() {
    insta::assert_snapshot!(tui::line(&Run::at(45).dashboard()));
    let mut dashboard = Run::at(3).dashboard();
    dashboard.run.total = Duration::ZERO;
    dashboard.load = Arc::default();
    assert!(!tui::line(&dashboard).contains('\n'));
}
