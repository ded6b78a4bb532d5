//! A comparison for people.

use std::fmt::Write as _;

use super::{Comparison, Finding, PhaseComparison, Row, Unit};
use crate::report::figures;
use crate::report::markdown::{cell, code};

impl Comparison {
    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (letter, run) in [("A", &self.a), ("B", &self.b)] {
            let verdict = run.verdict.label();
            line(
                &mut out,
                &format!(
                    "  {letter}  {}  {}  {verdict}  {}",
                    run.scenario, run.started_at, run.name
                ),
            );
        }
        for note in &self.notes {
            line(&mut out, &format!("  ! {note}"));
        }
        for phase in &self.phases {
            line(&mut out, &format!("\n  ▌ {}\n", phase.name));
            table(&mut out, phase);
        }
        line(&mut out, &format!("\n  {}", self.caveat));
        out
    }

    /// For a pull request's comment: what differs clearly at once, all else behind a heading.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::from(
            "## Comparison\n\n| | scenario | started | verdict | run |\n|---|---|---|---|---|\n",
        );
        for (letter, run) in [("A", &self.a), ("B", &self.b)] {
            let (scenario, name) = (cell(&run.scenario), code(&run.name));
            let row = format!(
                "| {letter} | {scenario} | {} | {} | {name} |",
                run.started_at,
                run.verdict.label()
            );
            line(&mut out, &row);
        }
        if !self.notes.is_empty() {
            line(&mut out, "");
        }
        for note in &self.notes {
            line(&mut out, &format!("- ⚠️ {}", cell(note)));
        }
        for phase in &self.phases {
            line(&mut out, &format!("\n### {}", cell(&phase.name)));
            let clear = |row: &&Row| matches!(row.finding, Finding::Better | Finding::Worse);
            let (clear, rest): (Vec<&Row>, Vec<&Row>) = phase.rows.iter().partition(clear);
            match clear.is_empty() {
                true => line(&mut out, "\nNo clear difference."),
                false => line(&mut out, &format!("\n{}", markdown_table(&clear))),
            }
            if !rest.is_empty() {
                let rest = markdown_table(&rest);
                let details = format!(
                    "<details><summary>No clear difference, or not judged</summary>\n\n{rest}\n</details>"
                );
                line(&mut out, &format!("\n{details}"));
            }
        }
        line(&mut out, &format!("\n{}", self.caveat));
        out
    }
}

fn table(out: &mut String, phase: &PhaseComparison) {
    let name = |row: &Row| format!("{} {}", row.subject, row.figure);
    let width = phase.rows.iter().map(|row| name(row).chars().count()).max().unwrap_or(0);
    line(out, &format!("    {:width$}{:>11}{:>11}{:>11}{:>9}", "", "A", "B", "difference", "B/A"));
    for row in &phase.rows {
        let [a, b, difference, ratio] = figures_of(row);
        let text = format!(
            "    {:width$}{a:>11}{b:>11}{difference:>11}{ratio:>9}  {}",
            name(row),
            row.words
        );
        line(out, text.trim_end());
    }
}

fn markdown_table(rows: &[&Row]) -> String {
    let mut out = String::from("| | A | B | difference | B/A | |\n|---|---:|---:|---:|---:|---|\n");
    for row in rows {
        let [a, b, difference, ratio] = figures_of(row);
        let mark = match row.finding {
            Finding::Better => "✅ ",
            Finding::Worse => "❌ ",
            Finding::Unclear | Finding::NotJudged => "",
        };
        let (subject, figure) = (code(&row.subject), cell(&row.figure));
        let text = format!(
            "| {subject} {figure} | {a} | {b} | {difference} | {ratio} | {mark}{} |",
            row.words
        );
        line(&mut out, &text);
    }
    out
}

/// A, B, difference, ratio.
fn figures_of(row: &Row) -> [String; 4] {
    let shown = |value: f64| match row.unit {
        Unit::Milliseconds => figures::milliseconds(value),
        Unit::PerSecond => figures::count(value),
        Unit::Share => figures::percent(value),
        Unit::Bytes => figures::bytes(value),
    };
    let sign = if row.difference > 0.0 { "+" } else { "" };
    let ratio = row.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
    [shown(row.a), shown(row.b), format!("{sign}{}", shown(row.difference)), ratio]
}

fn line(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{text}");
}
