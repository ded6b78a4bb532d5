//! Makes a phase smaller or larger, for machines that cannot carry it as it stands.

use super::options::VuRange;
use super::{Executor, Phase};
use crate::metrics::{Kind, builtin};
use crate::threshold::{Aggregation, Operator};

impl Phase {
    /// Multiplies arrival rates and virtual users by `factor`, and with them what thresholds demand at
    /// least of a counter (`orders_created: rate>=998`), a gauge (`ws_open: max>=10000`) or as a number
    /// of samples (`order_ended: count>=59880`): a tenth of the load makes a tenth of the orders. Times, shares and limits from above stay.
    pub fn scale(&mut self, factor: f64) {
        for scenario in &mut self.scenarios {
            scenario.executor.scale(factor);
        }
        for threshold in &mut self.thresholds {
            let kind = builtin::find(&threshold.metric).map(|metric| metric.kind);
            let sums = matches!(kind, Some(Kind::Counter | Kind::Gauge))
                || threshold.expression.aggregation == Aggregation::Count;
            let at_least = matches!(
                threshold.expression.operator,
                Operator::Greater | Operator::GreaterOrEqual
            );
            if sums && at_least {
                threshold.expression.limit = rounded(threshold.expression.limit * factor);
            }
        }
    }
}

impl Executor {
    fn scale(&mut self, factor: f64) {
        match self {
            Self::ConstantArrivalRate { rate, vus, .. } => {
                *rate *= factor;
                vus.scale(factor);
            }
            Self::RampingArrivalRate { start_rate, stages, vus, .. } => {
                *start_rate *= factor;
                stages.iter_mut().for_each(|stage| stage.target *= factor);
                vus.scale(factor);
            }
            Self::ConstantVus { vus, .. } | Self::PerVuIterations { vus, .. } => {
                *vus = scaled(*vus, factor);
            }
            Self::RampingVus { start_vus, stages, .. } => {
                if *start_vus > 0 {
                    *start_vus = scaled(*start_vus, factor);
                }
                stages.iter_mut().for_each(|stage| stage.target *= factor);
            }
        }
    }
}

impl VuRange {
    fn scale(&mut self, factor: f64) {
        self.pre_allocated = scaled(self.pre_allocated, factor);
        self.max = scaled(self.max, factor);
    }
}

/// Without what binary fractions add far behind the point: a limit is read by people.
fn rounded(limit: f64) -> f64 {
    (limit * 1e6).round() / 1e6
}

/// At least one is left.
fn scaled(vus: u32, factor: f64) -> u32 {
    ((f64::from(vus) * factor).ceil() as u32).max(1)
}
