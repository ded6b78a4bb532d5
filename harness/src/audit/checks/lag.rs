use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::committed::consumed;

pub(super) const CHECK: Check = Check {
    name: "no-lag",
    claim: "every group has committed exactly what the log holds: nothing is unread, nothing skipped",
    applies: |evidence| evidence.commits.is_some(),
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(commits), model) = (&evidence.commits, &evidence.model) else { return };
    for ((group, topic, partition), end) in consumed(&model.ends) {
        finding.looked_at.records += end.unsigned_abs();
        let committed = match commits.0.get(&(group, topic, partition)) {
            Some(&committed) if committed == end => continue,
            Some(committed) => committed.to_string(),
            None => "nothing".to_owned(),
        };
        let place = format!("{group} on {}/{partition}", topic.name());
        let what = format!("{place} has committed {committed}, the log ends at {end}");
        finding.violation(None, what);
    }
}
