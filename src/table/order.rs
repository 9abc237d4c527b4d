//! The order of names as people count: `node-2` before `node-10`.

/// What to sort a name by: digits by their number, the rest as it is.
pub fn natural(name: &str) -> Vec<(String, u64, usize)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(end);
        parts.push((text.to_owned(), number.parse().unwrap_or(u64::MAX), number.len()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_their_numbers() {
        let mut names = ["node-10", "node-9", "a", "node-1", "node-01b"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["a", "node-1", "node-01b", "node-9", "node-10"]);
    }
}
