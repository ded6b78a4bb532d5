//! The dashboard at the sizes that people have, compared with how it looked when it was good.

use std::sync::Arc;
use std::time::Duration;

use loadgen::course::Percent;
use loadgen::tui::{self, Dashboard, Page};
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

fn page(page: Page, dashboards: &[Dashboard], width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
    let draw = |frame: &mut ratatui::Frame<'_>| tui::draw_page(frame, page, dashboards, true);
    terminal.draw(draw).expect("drawing into memory");
    terminal
}

/// A run's first seconds, with all that pages show.
fn dashboards(seconds: u64) -> Vec<Dashboard> {
    let mut run = Run::new().detailed();
    let dashboard = |_| {
        run.step();
        run.dashboard()
    };
    (0..seconds).map(dashboard).collect()
}

/// A second after the kill, while it shows.
const AFTER_KILL: u64 = 35;

#[test]
fn every_page_at_every_size() {
    let dashboards = dashboards(AFTER_KILL);
    for shown in Page::ALL.into_iter().filter(|shown| *shown != Page::Overview) {
        for (width, height) in [(80, 24), (120, 40), (44, 12)] {
            let name = format!("page {shown:?} at {width} by {height}").to_lowercase();
            let name = name.replace(' ', "_");
            insta::assert_snapshot!(name, page(shown, &dashboards, width, height).backend());
        }
    }
}

#[test]
fn pages_without_anything_to_show_say_so() {
    let empty = [Run::new().dashboard()];
    let text = |shown| page(shown, &empty, 80, 24).backend().to_string();
    assert!(text(Page::Errors).contains("no request failed"));
    assert!(text(Page::Pipeline).contains("no order has come through yet"));
    assert!(text(Page::Generator).contains("send lag"));
}

#[test]
fn a_pause_and_a_changed_rate_are_seen_on_every_page() {
    let mut dashboards = vec![Run::at(5).dashboard()];
    dashboards[0].run.is_paused = true;
    dashboards[0].run.rate = Percent::new(250);
    for shown in Page::ALL {
        let text = page(shown, &dashboards, 100, 30).backend().to_string();
        assert!(text.contains("PAUSED") && text.contains("×2.5 of the plan"), "{text}");
    }
    let line = tui::line(&dashboards[0]);
    assert!(line.contains("PAUSED") && line.contains("×2.5"), "{line}");
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
    for shown in Page::ALL {
        for (width, height) in [(1, 1), (5, 3), (13, 7), (66, 18), (67, 60), (99, 31), (200, 33)] {
            page(shown, std::slice::from_ref(&dashboard), width, height);
            page(shown, std::slice::from_ref(&empty), width, height);
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
