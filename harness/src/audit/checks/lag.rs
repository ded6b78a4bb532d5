use super::{Check, Finding};
use crate::audit::Evidence;
use crate::audit::committed::GROUPS;

pub(super) const CHECK: Check = Check {
    name: "no-lag",
    claim: "every group has committed exactly what the log holds: nothing is unread, nothing skipped",
    applies: |evidence| evidence.commits.is_some(),
    look,
};

fn look(evidence: &Evidence, finding: &mut Finding) {
    let (Some(commits), model) = (&evidence.commits, &evidence.model) else { return };
    for (group, topics) in GROUPS {
        for (&(topic, partition), &end) in &model.ends {
            if !topics.contains(&topic) {
                continue;
            }
            finding.looked_at.records += end.unsigned_abs();
            let place = format!("{group} on {}/{partition}", topic.name());
            match commits.0.get(&(group, topic, partition)) {
                Some(&committed) if committed == end => {}
                Some(committed) => {
                    let what = format!("{place} has committed {committed}, the log ends at {end}");
                    finding.violation(None, what);
                }
                None => {
                    let what = format!("{place} has committed nothing, the log ends at {end}");
                    finding.violation(None, what);
                }
            }
        }
    }
}
