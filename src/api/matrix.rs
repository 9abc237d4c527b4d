//! `/v1/matrix`: who hears whom, direction by direction.
//!
//! The owner of a row is the one who *hears*: it observes what arrives. The answer is turned round, so that a row tells
//! what its node *sends*; hence the cells of one column come from the row of one owner, and `age_seconds` and `impaired`
//! of a node are about its column.

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::detector::row::Cell;
use crate::detector::view::{RowView, View};

/// Who hears whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// The names of the roster, sorted: the order of rows and of the characters in each.
    pub nodes: Vec<String>,
    /// One for each node.
    pub rows: Vec<MatrixRow>,
}

/// What one node sends, and to whom it arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixRow {
    /// The node that sends.
    pub node: String,
    /// How old what *this node* says of others is, that is the column of its name; null if nothing valid is held.
    pub age_seconds: Option<f64>,
    /// Whether this node distrusts what it says of others; null if nothing valid is held.
    pub impaired: Option<bool>,
    /// For each of `nodes`, whether what this node sends arrives there: `.` it does, `X` it does not, `?` unknown, `-`
    /// itself.
    pub cells: String,
}

impl Matrix {
    /// The answer from a view.
    pub fn of(view: &View) -> Self {
        let mut order: Vec<usize> = (0..view.nodes.len()).collect();
        let name = |place: usize| view.nodes.get(place).map(|node| node.member.name.as_str()).unwrap_or_default();
        order.sort_by_key(|&place| name(place));
        let held: Vec<Option<&RowView>> = view.nodes.iter().map(|node| node.row.as_ref()).collect();
        let row_of = |place: usize| held.get(place).copied().flatten();
        let row = |&from: &usize| MatrixRow {
            node: name(from).to_owned(),
            age_seconds: row_of(from).map(|row| seconds(row.age)),
            impaired: row_of(from).map(|row| row.impaired),
            cells: order.iter().map(|&to| if from == to { '-' } else { cell(row_of(to), from) }).collect(),
        };
        Self {
            nodes: order.iter().map(|&place| name(place).to_owned()).collect(),
            rows: order.iter().map(row).collect(),
        }
    }
}

/// What an owner says of what one node sends to it. Nobody is blamed by a row that its own owner distrusts.
fn cell(owner: Option<&RowView>, from: usize) -> char {
    let Some(row) = owner else { return '?' };
    match row.cells.get(from) {
        Cell::Up | Cell::Late => '.',
        Cell::Down | Cell::DownAgent if !row.impaired => 'X',
        _ => '?',
    }
}
