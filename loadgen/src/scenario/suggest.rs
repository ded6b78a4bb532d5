//! "Did you mean …?"

/// More changes than this and a word was not a slip of the finger.
const MOST_CHANGES: usize = 2;

/// The candidate that `word` was probably meant to be: the same but for case, `_` and `-`, or at most
/// two letters off.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (changes(&word, &plain(candidate)), candidate))
        .filter(|(count, candidate)| *count <= MOST_CHANGES && *count < candidate.len())
        .min_by_key(|(count, _)| *count)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean …?)`, or nothing.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    closest(word, candidates).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

fn plain(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// How many letters to insert, remove, replace or swap with their neighbour (optimal string
/// alignment).
fn changes(from: &[char], to: &[char]) -> usize {
    let width = to.len() + 1;
    let mut table = vec![0; (from.len() + 1) * width];
    let at = |row: usize, column: usize| row * width + column;
    for row in 0..=from.len() {
        for column in 0..=to.len() {
            table[at(row, column)] = if row == 0 || column == 0 {
                row + column
            } else {
                let same = from[row - 1] == to[column - 1];
                let replaced = table[at(row - 1, column - 1)] + usize::from(!same);
                let moved = table[at(row - 1, column)].min(table[at(row, column - 1)]) + 1;
                let swapped = row > 1
                    && column > 1
                    && from[row - 1] == to[column - 2]
                    && from[row - 2] == to[column - 1];
                let best = replaced.min(moved);
                if swapped { best.min(table[at(row - 2, column - 2)] + 1) } else { best }
            };
        }
    }
    table[at(from.len(), to.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_other_words_alone() {
        let keys = ["executor", "preAllocatedVUs", "maxVUs", "rate", "vus"];
        assert_eq!(closest("excutor", keys), Some("executor"));
        assert_eq!(closest("pre_allocated_vus", keys), Some("preAllocatedVUs"));
        assert_eq!(closest("maxVU", keys), Some("maxVUs"));
        assert_eq!(closest("raet", keys), Some("rate"));
        assert_eq!(closest("colour", keys), None);
        assert_eq!(did_you_mean("ratte", keys), "; did you mean \"rate\"?");
    }
}
