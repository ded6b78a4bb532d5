//! The judgement over pairs of runs. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{Figure, Figures};
use super::statistics::{Interval, bootstrap};

/// How much worse each figure may be, as a share: 0.05 for 5 %.
#[derive(Debug, Clone, PartialEq)]
pub struct Margins(pub BTreeMap<Figure, f64>);

impl Margins {
    fn of(&self, figure: Figure) -> f64 {
        self.0.get(&figure).copied().unwrap_or(0.0)
    }
}

/// Ordered: of several, the greatest stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The whole interval lies within the margin.
    Pass,
    /// It lies on both sides of it: more pairs may tell.
    Inconclusive,
    /// The whole interval lies beyond the margin.
    Fail,
}

impl Standing {
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Fail => "FAIL",
        }
    }
}

/// One figure of one phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureJudgement {
    pub phase: String,
    pub figure: Figure,
    /// Pairs in which both runs have it.
    pub pairs: usize,
    /// How much worse the head is, as a share: 0.1 for 10 % worse, negative for better; on average, and the ends
    /// of the 95 % interval.
    pub worse_by: Interval,
    pub margin: f64,
    pub standing: Standing,
}

/// The judgement as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    pub standing: Standing,
    pub pairs: usize,
    pub figures: Vec<FigureJudgement>,
}

/// Judges pairs of (base, head). A figure that one run of a pair lacks leaves that pair out.
#[must_use]
pub fn judge(pairs: &[(Figures, Figures)], margins: &Margins, seed: u64) -> Judgement {
    let mut by_figure: BTreeMap<&(String, Figure), Vec<f64>> = BTreeMap::new();
    for (base, head) in pairs {
        for (key, before) in base {
            let worsening = head.get(key).and_then(|after| key.1.worsening(*before, *after));
            if let Some(worsening) = worsening {
                by_figure.entry(key).or_default().push(worsening);
            }
        }
    }
    let figures: Vec<FigureJudgement> = by_figure
        .into_iter()
        .filter_map(|((phase, figure), ratios)| {
            let logs = bootstrap(&ratios, seed)?;
            let margin = margins.of(*figure);
            let limit = (1.0 + margin).ln();
            let standing = match logs {
                Interval { low, .. } if low > limit => Standing::Fail,
                Interval { high, .. } if high <= limit => Standing::Pass,
                _ => Standing::Inconclusive,
            };
            let share = |log: f64| log.exp() - 1.0;
            let worse_by =
                Interval { low: share(logs.low), mean: share(logs.mean), high: share(logs.high) };
            let (phase, figure, pairs) = (phase.clone(), *figure, ratios.len());
            Some(FigureJudgement { phase, figure, pairs, worse_by, margin, standing })
        })
        .collect();
    // What has nothing to judge has shown nothing.
    let standing = figures.iter().map(|figure| figure.standing).max();
    Judgement { standing: standing.unwrap_or(Standing::Inconclusive), pairs: pairs.len(), figures }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn margins() -> Margins {
        let margins = [0.05, 0.10, 0.15, 0.05, 0.05];
        Margins(Figure::ALL.into_iter().zip(margins).collect())
    }

    /// A run on a noisy machine: everything within ±`noise` of its mean, the head's figures times `factor`.
    fn run(rng: &mut StdRng, noise: f64, factor: f64) -> Figures {
        let figure = |figure| {
            let wobble = 1.0 + noise * (2.0 * rng.random::<f64>() - 1.0);
            let value = if figure == Figure::Throughput { 1000.0 / factor } else { 20.0 * factor };
            (("shop".to_owned(), figure), value * wobble)
        };
        Figure::ALL.into_iter().map(figure).collect()
    }

    fn gate(seed: u64, pairs: usize, noise: f64, factor: f64) -> Judgement {
        let mut rng = StdRng::seed_from_u64(seed);
        let pair = |_| (run(&mut rng, noise, 1.0), run(&mut rng, noise, factor));
        let pairs: Vec<_> = (0..pairs).map(pair).collect();
        judge(&pairs, &margins(), 1)
    }

    fn standing(judgement: &Judgement, figure: Figure) -> Standing {
        judgement.figures.iter().find(|one| one.figure == figure).unwrap().standing
    }

    #[test]
    fn a_build_passes_against_itself() {
        let judgement = gate(3, 8, 0.04, 1.0);
        assert_eq!(judgement.standing, Standing::Pass, "{judgement:#?}");
        assert_eq!(judgement.figures.len(), Figure::ALL.len());
    }

    #[test]
    fn ten_percent_more_fail_where_five_are_allowed() {
        let judgement = gate(3, 8, 0.04, 1.10);
        assert_eq!(judgement.standing, Standing::Fail);
        for figure in [Figure::P50, Figure::Throughput, Figure::Cpu] {
            assert_eq!(standing(&judgement, figure), Standing::Fail, "{judgement:#?}");
        }
        assert_eq!(standing(&judgement, Figure::P99), Standing::Pass, "15 % are allowed");
    }

    #[test]
    fn a_faster_head_passes() {
        assert_eq!(gate(3, 8, 0.04, 0.8).standing, Standing::Pass);
    }

    #[test]
    fn noise_is_inconclusive_and_more_pairs_settle_it() {
        assert_eq!(gate(5, 4, 0.4, 1.0).standing, Standing::Inconclusive);
        assert_eq!(gate(5, 300, 0.4, 1.0).standing, Standing::Pass);
    }

    #[test]
    fn without_figures_nothing_is_shown() {
        let empty = judge(&[(Figures::new(), Figures::new())], &margins(), 1);
        assert_eq!((empty.standing, empty.figures.len()), (Standing::Inconclusive, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_build_never_fails_against_itself_by_a_fraction_of_the_margin(seed: u64, noise in 0.0..0.06_f64) {
            prop_assert_ne!(gate(seed, 8, noise, 1.0).standing, Standing::Fail);
        }

        #[test]
        fn half_as_much_again_always_fails(seed: u64, noise in 0.0..0.1_f64) {
            prop_assert_eq!(gate(seed, 8, noise, 1.5).standing, Standing::Fail);
        }

        #[test]
        fn swapping_the_builds_turns_worse_into_better(seed: u64, factor in 0.7..1.4_f64) {
            let mut rng = StdRng::seed_from_u64(seed);
            let pairs: Vec<_> =
                (0..6).map(|_| (run(&mut rng, 0.0, 1.0), run(&mut rng, 0.0, factor))).collect();
            let swapped: Vec<_> = pairs.iter().map(|(a, b)| (b.clone(), a.clone())).collect();
            let (there, back) = (judge(&pairs, &margins(), 1), judge(&swapped, &margins(), 1));
            for (a, b) in there.figures.iter().zip(&back.figures) {
                let product = (1.0 + a.worse_by.mean) * (1.0 + b.worse_by.mean);
                prop_assert!((product - 1.0).abs() < 1e-9);
            }
        }
    }
}
