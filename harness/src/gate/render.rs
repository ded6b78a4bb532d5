//! A judgement for people.

use std::fmt::Write as _;

use super::judge::{FigureJudgement, Judgement, Standing};

const EXPLAINED: &str = "How much worse head is than base, with its 95 % interval. FAIL: the whole interval lies \
     beyond the margin. PASS: all of it lies within.";

/// For a terminal.
#[must_use]
pub fn text(judgement: &Judgement) -> String {
    let mut out = String::new();
    let headline = format!("\n  {} after {} pairs\n", judgement.standing.label(), judgement.pairs);
    line(&mut out, &headline);
    let name = |one: &FigureJudgement| format!("{} {}", one.phase, one.figure.label());
    let width = judgement.figures.iter().map(|one| name(one).chars().count()).max().unwrap_or(0);
    line(
        &mut out,
        &format!("    {:width$}{:>10}{:>22}{:>9}", "", "worse by", "95 % interval", "margin"),
    );
    for one in &judgement.figures {
        let [mean, interval, margin] = cells(one);
        let standing = one.standing.label();
        line(
            &mut out,
            &format!("    {:width$}{mean:>10}{interval:>22}{margin:>9}  {standing}", name(one)),
        );
    }
    line(&mut out, &format!("\n  {EXPLAINED}"));
    out
}

/// For a pull request's comment.
#[must_use]
pub fn markdown(judgement: &Judgement) -> String {
    let mark = |standing| match standing {
        Standing::Pass => "✅",
        Standing::Inconclusive => "⚠️",
        Standing::Fail => "❌",
    };
    let (standing, pairs) = (judgement.standing, judgement.pairs);
    let mut out =
        format!("## {} Gate: {} after {pairs} pairs\n\n", mark(standing), standing.label());
    line(
        &mut out,
        "| | phase | figure | worse by | 95 % interval | margin |\n|---|---|---|---:|---:|---:|",
    );
    for one in &judgement.figures {
        let [mean, interval, margin] = cells(one);
        let (phase, figure) = (one.phase.replace('|', "\\|"), one.figure.label());
        let row = format!(
            "| {} | {phase} | {figure} | {mean} | {interval} | {margin} |",
            mark(one.standing)
        );
        line(&mut out, &row);
    }
    line(&mut out, &format!("\n{EXPLAINED}"));
    out
}

fn cells(one: &FigureJudgement) -> [String; 3] {
    let percent = |share: f64| format!("{:+.1} %", share * 100.0);
    let interval = format!("{} … {}", percent(one.worse_by.low), percent(one.worse_by.high));
    [percent(one.worse_by.mean), interval, format!("{:.0} %", one.margin * 100.0)]
}

fn line(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::super::figures::Figure;
    use super::super::statistics::Interval;
    use super::*;

    #[test]
    fn a_failure_says_by_how_much() {
        let failed = FigureJudgement {
            phase: "shop".into(),
            figure: Figure::P50,
            pairs: 8,
            worse_by: Interval { low: 0.081, mean: 0.1, high: 0.12 },
            margin: 0.05,
            standing: Standing::Fail,
        };
        let judgement = Judgement { standing: Standing::Fail, pairs: 8, figures: vec![failed] };
        let text = text(&judgement);
        assert!(text.contains("FAIL after 8 pairs"), "{text}");
        assert!(text.contains("shop p50   +10.0 %      +8.1 % … +12.0 %      5 %  FAIL"), "{text}");
        assert!(
            markdown(&judgement).contains("| ❌ | shop | p50 | +10.0 % | +8.1 % … +12.0 % | 5 % |")
        );
    }
}
