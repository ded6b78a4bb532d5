use super::{Check, Finding};
use crate::audit::Evidence;

pub(super) const CHECK: Check = Check {
    name: "no-lag",
    claim: "every group has committed to the end of its partitions: nothing is waiting",
    applies: |evidence| evidence.lags.is_some(),
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    for lag in evidence.lags.iter().flatten() {
        finding.looked_at.records += lag.end.unsigned_abs();
        if lag.committed != lag.end {
            let what = format!(
                "{} has committed {} of {} in {}/{}",
                lag.group, lag.committed, lag.end, lag.topic, lag.partition
            );
            finding.violation(None, what);
        }
    }
}
