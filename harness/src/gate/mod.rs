//! `doorbuster gate`: two builds run in turn, and whether the later one is slower by more than allowed.
//!
//! | file | does |
//! |---|---|
//! | [`measure`] | runs a build once |
//! | [`figures`] | reads what it measured |
//! | [`statistics`] | intervals by bootstrap |
//! | [`judge`] | the judgement over all pairs |
//! | [`render`] | text and Markdown |
//!
//! A single run of each would tell more of the machine's hour than of the builds. Pairs share the hour, the order
//! within them alternates (base head, head base, …), and the ratio of each pair is one observation.

pub mod figures;
pub mod judge;
pub mod measure;
pub mod render;
pub mod statistics;

use anyhow::Context as _;
use loadgen::report::Verdict;

use crate::cli::GateArgs;
use crate::exit::Outcome;
use crate::say;
use crate::supervise::signals::Signals;
use figures::{Figure, Figures};
use judge::{Judgement, Margins, Standing, judge};
use measure::{Build, Measured};

/// How many times `--pairs` are run at most, unless the command line says.
const PATIENCE: u32 = 3;

/// Runs pairs until the judgement is clear, or there have been enough.
///
/// # Errors
/// A build does not run.
pub async fn gate(args: GateArgs) -> anyhow::Result<Outcome> {
    let base = Build::find("base", &args.base).await?;
    let head = Build::find("head", &args.head).await?;
    let margins = margins(&args);
    let max_pairs = args.max_pairs.unwrap_or(args.pairs * PATIENCE).max(args.pairs);
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let mut pairs: Vec<(Figures, Figures)> = Vec::new();
    let mut judgement = judge(&pairs, &margins, args.seed);
    for index in 0..max_pairs {
        say::aside(format_args!("pair {} of {} to {max_pairs}\n", index + 1, args.pairs));
        let pair = tokio::select! {
            biased;
            () = signals.next() => Err(Verdict::Interrupted),
            pair = measure_pair(&args, [&base, &head], index) => pair?,
        };
        match pair {
            Ok(pair) => pairs.push(pair),
            Err(verdict) => return Ok(Outcome::Judged(verdict)),
        }
        if index + 1 >= args.pairs {
            judgement = judge(&pairs, &margins, args.seed);
            if judgement.standing != Standing::Inconclusive {
                break;
            }
        }
    }
    tell(&args, &judgement)?;
    Ok(match judgement.standing {
        Standing::Pass => Outcome::Done,
        Standing::Inconclusive if !args.strict => {
            say::aside(format_args!(
                "warning: inconclusive after {} pairs: the machine is too noisy for these margins\n",
                judgement.pairs
            ));
            Outcome::Done
        }
        Standing::Inconclusive | Standing::Fail => Outcome::Regression,
    })
}

fn margins(args: &GateArgs) -> Margins {
    let percent = |figure| match figure {
        Figure::P50 => args.margin_p50,
        Figure::P95 => args.margin_p95,
        Figure::P99 => args.margin_p99,
        Figure::Throughput => args.margin_throughput,
        Figure::Cpu => args.margin_cpu,
    };
    Margins(Figure::ALL.into_iter().map(|figure| (figure, percent(figure) / 100.0)).collect())
}

/// One run of each build; which comes first alternates. The inner error ends the gate with that verdict.
async fn measure_pair(
    args: &GateArgs,
    builds: [&Build; 2],
    index: u32,
) -> anyhow::Result<Result<(Figures, Figures), Verdict>> {
    let folder = args.to.join(format!("pair-{:03}", index + 1));
    let order = if index.is_multiple_of(2) { [0, 1] } else { [1, 0] };
    let mut measured: [Option<Figures>; 2] = [None, None];
    for at in order {
        let (Some(build), Some(place)) = (builds.get(at), measured.get_mut(at)) else { continue };
        match build.measure(&args.scenario, &folder).await? {
            Measured::Figures(figures) => *place = Some(figures),
            Measured::Invalid => {
                say::aside(
                    "the load generator could not keep up: the machine is too busy to judge\n",
                );
                return Ok(Err(Verdict::Invalid));
            }
            Measured::Violated => {
                let folder = folder.display();
                say::aside(format_args!(
                    "{}: the audit found a violation, see {folder}\n",
                    build.name
                ));
                return Ok(Err(Verdict::AuditViolation));
            }
            Measured::Interrupted => return Ok(Err(Verdict::Interrupted)),
        }
    }
    let [base, head] = measured.map(Option::unwrap_or_default);
    Ok(Ok((base, head)))
}

fn tell(args: &GateArgs, judgement: &Judgement) -> anyhow::Result<()> {
    if args.json {
        say::line(serde_json::to_string_pretty(judgement)?);
    } else if args.markdown {
        say::text(render::markdown(judgement));
    } else {
        say::text(render::text(judgement));
    }
    Ok(())
}
