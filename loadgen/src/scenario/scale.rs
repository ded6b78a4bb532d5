//! Makes a phase smaller or larger, for machines that cannot carry it as it stands.

use super::options::VuRange;
use super::{Executor, Phase};
use crate::flow::Flow;
use crate::metrics::{Kind, builtin};
use crate::threshold::{Aggregation, Operator, Threshold};

impl Phase {
    /// Multiplies arrival rates and virtual users by `factor`, and with them what thresholds demand at
    /// least of a counter (`orders_created: rate>=998`), a gauge (`ws_open: max>=10000`) or as a number
    /// of samples (`order_ended: count>=59880`): a tenth of the load makes a tenth of the orders. Times, shares and limits from above stay.
    pub fn scale(&mut self, factor: f64) {
        for scenario in &mut self.scenarios {
            scenario.executor.scale(factor);
        }
        for threshold in &mut self.thresholds {
            // A share of the plan stays one: the plan is what changes.
            threshold.planned.scale(factor);
            if is_demand(threshold) {
                threshold.expression.limit = rounded(threshold.expression.limit * factor);
            }
        }
    }

    /// The same load at `factor` times its arrival rates, for a search of the highest: what thresholds demand of
    /// counters and numbers of samples grows with it. Who watches an order holds the socket for as much shorter
    /// as there are more of them, so that as many sockets are open; the users of others are as many more.
    pub fn at_rate(&mut self, factor: f64) {
        for scenario in &mut self.scenarios {
            let holds = match &mut scenario.flow {
                Flow::WatchOrder(params) if !params.hold.is_zero() => {
                    params.hold = params.hold.div_f64(factor);
                    true
                }
                _ => false,
            };
            scenario.executor.at_rate(factor, holds);
        }
        for threshold in &mut self.thresholds {
            threshold.planned.scale(factor);
            let is_gauge =
                builtin::find(&threshold.metric).is_some_and(|metric| metric.kind == Kind::Gauge);
            if is_demand(threshold) && !is_gauge {
                threshold.expression.limit = rounded(threshold.expression.limit * factor);
            }
        }
    }
}

/// Whether a threshold demands at least so much of something that grows with the load.
fn is_demand(threshold: &Threshold) -> bool {
    let kind = builtin::find(&threshold.metric).map(|metric| metric.kind);
    let sums = matches!(kind, Some(Kind::Counter | Kind::Gauge))
        || threshold.expression.aggregation == Aggregation::Count;
    let at_least =
        matches!(threshold.expression.operator, Operator::Greater | Operator::GreaterOrEqual);
    sums && at_least && !threshold.expression.of_plan
}

impl Executor {
    /// Closed models have no rate. A user that holds a socket is busy whatever the rate.
    fn at_rate(&mut self, factor: f64, holds: bool) {
        let (Self::ConstantArrivalRate { vus, .. } | Self::RampingArrivalRate { vus, .. }) = self
        else {
            return;
        };
        let before = *vus;
        self.scale(factor);
        if let Self::ConstantArrivalRate { vus, .. } | Self::RampingArrivalRate { vus, .. } = self
            && (holds || factor < 1.0)
        {
            *vus = before;
        }
    }

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
            Self::SharedIterations { vus, iterations, .. } => {
                *vus = scaled(*vus, factor);
                let some = (*iterations as f64 * factor).round() as u64;
                *iterations = some.max(u64::from(*vus));
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
        if self.pre_allocated > 0 {
            self.pre_allocated = scaled(self.pre_allocated, factor);
        }
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
