//! The roster that an operator wrote down: it never changes while the agent runs, and it is always there.

use crate::detector::settings::Member;

/// The nodes of the configuration, this one included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticList(Vec<Member>);

impl StaticList {
    /// The list as the configuration has it.
    pub fn new(members: Vec<Member>) -> Self {
        Self(members)
    }

    /// Who belongs.
    pub fn roster(&self) -> Vec<Member> {
        self.0.clone()
    }
}
