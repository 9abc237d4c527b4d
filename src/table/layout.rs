//! How a table fits the reader's screen: names above the columns, or else numbers, or else digits one below the other.

use std::fmt::Write;

use super::Picture;
use super::groups::Group;

const CORNER: &str = "Source\\Target";

/// What stands above the columns.
#[derive(Clone, Copy)]
enum Heads {
    /// Names.
    Names,
    /// The numbers of the rows.
    Numbers,
    /// The same, one digit a line, and no space between the cells.
    Digits,
}

/// A table in the widest layout that is no wider than `width`.
pub(super) fn fitting(picture: &Picture, groups: &[Group], width: usize) -> Option<String> {
    let mut tables =
        [Heads::Names, Heads::Numbers, Heads::Digits].into_iter().map(|heads| draw(picture, groups, heads));
    tables.find(|table| table.lines().all(|line| chars(line) <= width))
}

/// The table in the narrowest layout.
pub(super) fn narrowest(picture: &Picture, groups: &[Group]) -> String {
    draw(picture, groups, Heads::Digits)
}

fn draw(picture: &Picture, groups: &[Group], heads: Heads) -> String {
    let digits = groups.len().to_string().len();
    let after = if groups.iter().any(|group| group.count > 1) { ")" } else { "" };
    let numbered = (1..).zip(groups);
    let labels: Vec<String> = numbered
        .map(|(number, group)| match heads {
            Heads::Names => group.label(picture),
            // "1 36 nodes" would be read as one number.
            Heads::Numbers | Heads::Digits => format!("{number:>digits$}{after} {}", group.label(picture)),
        })
        .collect();
    let first = labels.iter().map(|label| chars(label)).max().unwrap_or_default().max(chars(CORNER));
    let titles: Vec<String> = match heads {
        Heads::Names => groups.iter().map(|group| group.title(picture)).collect(),
        Heads::Numbers | Heads::Digits => (1..=groups.len()).map(|number| number.to_string()).collect(),
    };
    let mut table = String::new();
    head(&mut table, first, &titles, heads);
    for (row, label) in groups.iter().zip(&labels) {
        let cells = groups.iter().zip(&titles).map(|(column, title)| (cell(picture, row, column), chars(title)));
        line(&mut table, first, label, cells, row.status(picture), heads);
    }
    table
}

fn cell(picture: &Picture, row: &Group, column: &Group) -> String {
    let pair = if row.first == column.first { row.inner } else { picture.pair(row.first, column.first) };
    pair.symbol().to_string()
}

fn head(table: &mut String, first: usize, titles: &[String], heads: Heads) {
    if !matches!(heads, Heads::Digits) {
        let cells = titles.iter().map(|title| (title.clone(), chars(title)));
        return line(table, first, CORNER, cells, "Status", heads);
    }
    let digits = titles.last().map_or(1, String::len);
    for digit in 0..digits {
        let (corner, status) = if digit + 1 == digits { (CORNER, "Status") } else { ("", "") };
        let shown = titles.iter().map(|title| {
            let padded = format!("{title:>digits$}");
            (padded.chars().nth(digit).unwrap_or(' ').to_string(), 1)
        });
        line(table, first, corner, shown, status, heads);
    }
}

fn line(
    table: &mut String,
    first: usize,
    label: &str,
    cells: impl Iterator<Item = (String, usize)>,
    status: &str,
    heads: Heads,
) {
    let mut line = format!("{label:first$}");
    for (at, (cell, width)) in cells.enumerate() {
        // Writing to a string does not fail.
        let _ = match heads {
            Heads::Digits if at > 0 => write!(line, "{cell}"),
            Heads::Digits => write!(line, " {cell}"),
            Heads::Names | Heads::Numbers => write!(line, " {cell:width$}"),
        };
    }
    let _ = write!(line, "  {status}");
    let _ = writeln!(table, "{}", line.trim_end());
}

fn chars(text: &str) -> usize {
    text.chars().count()
}
