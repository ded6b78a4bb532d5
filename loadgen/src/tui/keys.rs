//! What a key does. Pure: it changes what lies over the panels, or asks the run for something.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Action;
use super::page::Page;
use super::view::Overlay;

/// The keys and what they do, as the help tells them.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("0–6, Tab", "pages"),
    ("p", "pause, or go on"),
    ("+ −", "10 % of the plan's rate more, or less"),
    ("s", "write the report as it stands"),
    ("q, Ctrl-C", "stop gracefully; a second time kills"),
    ("?", "this help"),
];

pub(super) fn handle(event: &Event, overlay: &mut Overlay) -> Option<Action> {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else {
        return None;
    };
    let is_interrupt = *code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL);
    let had_help = std::mem::replace(&mut overlay.help, false);
    match code {
        _ if is_interrupt => overlay.stop(),
        KeyCode::Char('q') => overlay.stop(),
        KeyCode::Char('?' | 'h') => {
            overlay.help = !had_help;
            None
        }
        KeyCode::Char('p' | ' ') => Some(Action::Pause),
        KeyCode::Char('+' | '=') => Some(Action::Faster),
        KeyCode::Char('-' | '_') => Some(Action::Slower),
        KeyCode::Char('s') => Some(Action::Snapshot),
        KeyCode::Char(key) => {
            overlay.page = Page::of_key(*key).unwrap_or(overlay.page);
            None
        }
        KeyCode::Tab | KeyCode::Right => {
            overlay.page = overlay.page.next();
            None
        }
        KeyCode::BackTab | KeyCode::Left => {
            overlay.page = overlay.page.previous();
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    fn key(key: char) -> Event {
        press(KeyCode::Char(key), KeyModifiers::NONE)
    }

    #[test]
    fn the_first_q_stops_and_the_second_kills() {
        let mut overlay = Overlay::default();
        let interrupt = press(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(handle(&key('q'), &mut overlay), Some(Action::Stop));
        assert_eq!(handle(&interrupt, &mut overlay), Some(Action::Kill));
        assert_eq!(handle(&key('c'), &mut overlay), None);
    }

    #[test]
    fn help_comes_and_goes() {
        let mut overlay = Overlay::default();
        assert_eq!(handle(&key('?'), &mut overlay), None);
        assert!(overlay.help);
        assert_eq!(handle(&key('?'), &mut overlay), None);
        assert!(!overlay.help);
        handle(&key('?'), &mut overlay);
        let escape = press(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(handle(&escape, &mut overlay), None);
        assert!(!overlay.help);
    }

    #[test]
    fn digits_and_tabs_open_pages() {
        let mut overlay = Overlay::default();
        assert_eq!(handle(&key('6'), &mut overlay), None);
        assert_eq!(overlay.page, Page::Generator);
        handle(&press(KeyCode::Tab, KeyModifiers::NONE), &mut overlay);
        assert_eq!(overlay.page, Page::Overview);
        handle(&press(KeyCode::BackTab, KeyModifiers::SHIFT), &mut overlay);
        assert_eq!(overlay.page, Page::Generator);
        handle(&key('9'), &mut overlay);
        assert_eq!(overlay.page, Page::Generator, "there is no ninth");
    }

    #[test]
    fn the_run_is_asked_for_what_it_can_do() {
        let mut overlay = Overlay::default();
        let asked = ['p', '+', '=', '-', 's', 'x'].map(|char| handle(&key(char), &mut overlay));
        let wanted = [
            Some(Action::Pause),
            Some(Action::Faster),
            Some(Action::Faster),
            Some(Action::Slower),
            Some(Action::Snapshot),
            None,
        ];
        assert_eq!(asked, wanted);
    }
}
