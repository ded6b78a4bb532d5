//! A line chart as SVG: places are computed here, `chart.svg` writes them down.

use askama::Template;

use super::scale::Scale;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 220.0;
/// Around the plot; at the left and below for what is written beside the axes.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 30.0;

/// Points of a line: a place on the horizontal axis and a value.
pub(super) type Points = Vec<(f64, f64)>;

/// One line.
pub(super) struct Line {
    pub label: String,
    /// Its colour, by the style sheet: `c0` to `c7`, or `plan`.
    pub class: &'static str,
    pub points: Points,
}

/// A stretch of time in which something was done to the system under test.
pub(super) struct Band {
    pub class: &'static str,
    pub label: String,
    pub from: f64,
    pub to: f64,
}

/// What is drawn.
pub(super) struct Plot {
    pub title: String,
    /// What it shows, in a sentence.
    pub note: String,
    pub x: Scale,
    pub y: Scale,
    pub x_label: fn(f64) -> String,
    pub y_label: fn(f64) -> String,
    pub lines: Vec<Line>,
    pub bands: Vec<Band>,
    /// Points further apart than this are not joined: in between nothing was measured.
    pub gap: f64,
}

/// The same in places.
#[derive(Template)]
#[template(path = "chart.svg")]
pub(super) struct Chart {
    pub title: String,
    pub note: String,
    /// The legend, with each line's highest value.
    pub legend: Vec<Legend>,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    bands: Vec<Rect>,
    paths: Vec<Path>,
}

pub(super) struct Legend {
    pub class: &'static str,
    pub label: String,
    pub highest: String,
}

struct Tick {
    at: String,
    label: String,
}

struct Rect {
    class: &'static str,
    label: String,
    x: String,
    width: String,
}

struct Path {
    class: &'static str,
    label: String,
    d: String,
}

impl Plot {
    /// `None` when there is nothing to see.
    pub(super) fn draw(self) -> Option<Chart> {
        if self.lines.iter().all(|line| line.points.is_empty()) {
            return None;
        }
        let across = |value: f64| LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT);
        let up = |value: f64| HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM);
        let x_tick =
            |value: &f64| Tick { at: place(across(*value)), label: (self.x_label)(*value) };
        let y_tick = |value: &f64| Tick { at: place(up(*value)), label: (self.y_label)(*value) };
        let band = |band: &Band| {
            let (from, to) = (across(band.from), across(band.to));
            let (class, label) = (band.class, band.label.clone());
            Rect { class, label, x: place(from), width: place((to - from).max(1.5)) }
        };
        let shown: Vec<&Line> = self.lines.iter().filter(|line| !line.points.is_empty()).collect();
        let path = |line: &&Line| {
            let places = line.points.iter().map(|(x, y)| (*x, across(*x), up(*y)));
            Path { class: line.class, label: line.label.clone(), d: path(places, self.gap) }
        };
        let legend = |line: &&Line| {
            let highest = line.points.iter().map(|point| point.1).fold(0.0, f64::max);
            let highest = (self.y_label)(highest);
            Legend { class: line.class, label: line.label.clone(), highest }
        };
        Some(Chart {
            legend: shown.iter().map(legend).collect(),
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            right: WIDTH - RIGHT,
            top: TOP,
            bottom: HEIGHT - BOTTOM,
            x_ticks: self.x.ticks().iter().map(x_tick).collect(),
            y_ticks: self.y.ticks().iter().map(y_tick).collect(),
            bands: self.bands.iter().map(band).collect(),
            paths: shown.iter().map(path).collect(),
            title: self.title,
            note: self.note,
        })
    }
}

/// A path through the points, interrupted where they are too far apart. A lone point is a dot.
fn path(points: impl Iterator<Item = (f64, f64, f64)>, gap: f64) -> String {
    let mut path = String::new();
    let mut before: Option<f64> = None;
    for (value, x, y) in points {
        let joined = before.is_some_and(|before| value - before <= gap);
        path.push_str(if joined { "L" } else { "M" });
        path.push_str(&place(x));
        path.push(' ');
        path.push_str(&place(y));
        if !joined {
            path.push_str("h0");
        }
        before = Some(value);
    }
    path
}

/// A tenth of a pixel is finer than any screen.
fn place(at: f64) -> String {
    let text = format!("{at:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A line without axes, to stand in a table's cell.
#[derive(Template)]
#[template(path = "spark.svg")]
pub(super) struct Spark {
    label: String,
    class: &'static str,
    d: String,
}

impl Spark {
    /// Of values from 0 to `max`, over `end` on the horizontal axis.
    pub(super) fn new(
        label: String,
        class: &'static str,
        points: &Points,
        end: f64,
        max: f64,
    ) -> Self {
        let across = |x: f64| 1.0 + (x / end.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * 118.0;
        let up = |y: f64| 23.0 - (y / max.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * 22.0;
        let places = points.iter().map(|(x, y)| (*x, across(*x), up(*y)));
        Self { label, class, d: path(places, f64::INFINITY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_nothing_was_measured() {
        let points = [(0.0, 0.0, 9.0), (1.0, 1.0, 8.0), (5.0, 5.0, 7.25)];
        assert_eq!(path(points.into_iter(), 2.0), "M0 9h0L1 8M5 7.2h0");
    }

    #[test]
    fn an_empty_plot_is_no_chart() {
        let plot = Plot {
            title: String::new(),
            note: String::new(),
            x: Scale::Time { max: 1.0 },
            y: Scale::Linear { max: 1.0 },
            x_label: |value| value.to_string(),
            y_label: |value| value.to_string(),
            lines: vec![Line { label: String::new(), class: "c0", points: Vec::new() }],
            bands: Vec::new(),
            gap: 1.0,
        };
        assert!(plot.draw().is_none());
    }
}
