//! Who reads which partitions.

use std::collections::BTreeMap;

use contract::topics::Topic;

/// How a group shares its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Kafka's range assignor: contiguous ranges, members in order of their names. Since all topics have
    /// the same number of partitions, partition *i* of every topic goes to the same member.
    Range,
    /// The leader takes all; the others learn who that is.
    SingleWriter,
}

/// One member's partitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Share {
    pub(crate) partitions: BTreeMap<Topic, Vec<i32>>,
    /// With [`Sharing::SingleWriter`]: the instance that has all partitions.
    pub(crate) holder: Option<String>,
}

/// Shares out `partitions` of every topic in `topics`, one share for each of `instances`.
/// `leader` is the leader's index.
pub(crate) fn assign(
    sharing: Sharing,
    topics: &[Topic],
    partitions: i32,
    instances: &[String],
    leader: usize,
) -> Vec<Share> {
    match sharing {
        Sharing::Range => {
            let mut order: Vec<usize> = (0..instances.len()).collect();
            order.sort_by(|a, b| instances[*a].cmp(&instances[*b]));
            let ranges = ranges(partitions, instances.len());
            let mut shares = vec![Share::default(); instances.len()];
            for (member, range) in order.into_iter().zip(ranges) {
                shares[member] = Share { partitions: of_all(topics, range), holder: None };
            }
            shares
        }
        Sharing::SingleWriter => {
            let share = |member| Share {
                partitions: of_all(topics, if member == leader { 0..partitions } else { 0..0 }),
                holder: instances.get(leader).cloned(),
            };
            (0..instances.len()).map(share).collect()
        }
    }
}

fn of_all(topics: &[Topic], range: std::ops::Range<i32>) -> BTreeMap<Topic, Vec<i32>> {
    if range.is_empty() {
        return BTreeMap::new();
    }
    topics.iter().map(|topic| (*topic, range.clone().collect())).collect()
}

/// `partitions` cut into `members` ranges that differ by at most one, the longer ones first.
fn ranges(partitions: i32, members: usize) -> impl Iterator<Item = std::ops::Range<i32>> {
    let members = i32::try_from(members).unwrap_or(i32::MAX).max(1);
    let (each, longer) = (partitions / members, partitions % members);
    (0..members).map(move |member| {
        let start = member * each + member.min(longer);
        start..start + each + i32::from(member < longer)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).rev().map(|n| format!("payment-{n}")).collect()
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_and_topics_go_together(
            partitions in 1..40_i32,
            members in 1..9_usize,
        ) {
            let topics = [Topic::Inventory, Topic::Payment];
            let shares = assign(Sharing::Range, &topics, partitions, &names(members), 0);
            let mut all: Vec<i32> = Vec::new();
            for share in &shares {
                prop_assert_eq!(
                    share.partitions.get(&Topic::Inventory),
                    share.partitions.get(&Topic::Payment)
                );
                all.extend(share.partitions.get(&Topic::Payment).into_iter().flatten());
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..partitions).collect::<Vec<_>>());
        }
    }

    #[test]
    fn members_are_taken_in_the_order_of_their_names() {
        let shares = assign(Sharing::Range, &[Topic::Payment], 3, &names(2), 0);
        assert_eq!(shares[1].partitions[&Topic::Payment], [0, 1]);
        assert_eq!(shares[0].partitions[&Topic::Payment], [2]);
    }

    #[test]
    fn a_single_writer_has_all_and_the_others_know_its_name() {
        let shares = assign(Sharing::SingleWriter, &[Topic::Orders], 2, &names(2), 1);
        assert_eq!(shares[1].partitions[&Topic::Orders], [0, 1]);
        assert!(shares[0].partitions.is_empty());
        assert_eq!(shares[0].holder.as_deref(), Some("payment-0"));
    }
}
