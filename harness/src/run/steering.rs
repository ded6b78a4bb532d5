//! What the person at the keyboard may do to a load that goes on.

use std::path::PathBuf;

use loadgen::conductor::Control;
use loadgen::course::Percent;
use loadgen::tui::Action;

use super::screen::Screen;

/// Turns keys into orders, and says on the screen what they do.
pub struct Steering<C> {
    control: C,
    is_paused: bool,
    rate: Percent,
}

impl<C: Fn(Control)> Steering<C> {
    /// `is_paused` says whether the load begins that way.
    pub fn new(control: C, is_paused: bool, screen: &mut Screen) -> Self {
        if is_paused {
            screen.notice("paused before the first iteration: p begins".into());
        }
        Self { control, is_paused, rate: Percent::PLAN }
    }

    /// Does what was asked for. `save` writes the report as it stands.
    pub fn act(
        &mut self,
        action: Action,
        screen: &mut Screen,
        save: impl FnOnce(&Screen) -> anyhow::Result<PathBuf>,
    ) {
        match action {
            Action::Pause => self.pause(screen),
            Action::Faster => self.turn(self.rate.more(), screen),
            Action::Slower => self.turn(self.rate.less(), screen),
            Action::Snapshot => match save(screen) {
                Ok(folder) => screen.notice(format!("snapshot: {}", folder.display())),
                Err(error) => screen.notice(format!("no snapshot: {error:#}")),
            },
            Action::Stop => self.end(screen),
            Action::Kill => {
                screen.interrupt();
                (self.control)(Control::Kill);
            }
        }
    }

    /// The first request lets running iterations finish; a second one does not.
    pub fn end(&mut self, screen: &mut Screen) {
        let order = if screen.interrupted() { Control::Kill } else { Control::Stop };
        screen.interrupt();
        screen.notice("stopping: the audit still follows".into());
        (self.control)(order);
    }

    fn pause(&mut self, screen: &mut Screen) {
        self.is_paused = !self.is_paused;
        let (order, said) = if self.is_paused {
            (Control::Pause, "paused: nothing starts, and the plan's time stands still")
        } else {
            (Control::Resume, "going on")
        };
        (self.control)(order);
        screen.notice(said.into());
    }

    fn turn(&mut self, rate: Percent, screen: &mut Screen) {
        if rate != self.rate {
            self.rate = rate;
            (self.control)(Control::Rate(rate));
            screen.notice(format!("rate {rate} of the plan"));
        }
    }
}
