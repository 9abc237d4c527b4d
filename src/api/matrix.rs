//! `/v1/matrix`: who hears whom, direction by direction.
//!
//! The owner of a row is the one who *hears*: it observes what arrives. The answer is turned round, so that a row tells
//! what its node *sends*; hence the cells of one column come from the row of one owner, and `age_seconds` and `impaired`
//! of a node are about its column.

use std::ops::Deref;

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
        let turned = Turned::new(view);
        Self { nodes: turned.nodes(), rows: (0..turned.len()).filter_map(|at| turned.row(at)).collect() }
    }
}

/// A view turned round, from which the answer is made row by row: whole it would be 25 MB for 5,000 nodes.
pub struct Turned<V> {
    view: V,
    /// The places of the nodes in the view, by name.
    order: Vec<usize>,
}

impl<V: Deref<Target = View>> Turned<V> {
    /// Turns a view.
    pub fn new(view: V) -> Self {
        let mut order: Vec<usize> = (0..view.nodes.len()).collect();
        order.sort_by_key(|&place| view.nodes.get(place).map(|node| node.member.name.as_str()));
        Self { view, order }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The names, in the order of the rows.
    pub fn nodes(&self) -> Vec<String> {
        self.order.iter().map(|&place| self.name(place)).collect()
    }

    /// The row at a place in the order of names.
    pub fn row(&self, at: usize) -> Option<MatrixRow> {
        let from = *self.order.get(at)?;
        let own = self.row_of(from);
        Some(MatrixRow {
            node: self.name(from),
            age_seconds: own.map(|row| seconds(row.age)),
            impaired: own.map(|row| row.impaired),
            cells: self.order.iter().map(|&to| if from == to { '-' } else { cell(self.row_of(to), from) }).collect(),
        })
    }

    fn name(&self, place: usize) -> String {
        self.view.nodes.get(place).map(|node| node.member.name.clone()).unwrap_or_default()
    }

    fn row_of(&self, place: usize) -> Option<&RowView> {
        self.view.nodes.get(place)?.row.as_ref()
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
