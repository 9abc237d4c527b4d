//! The roster that an operator wrote down: it is always there, and changes only when another list replaces it.

use std::time::Duration;

use super::{Answer, Cause, Failure, Source};
use crate::detector::Listing;
use crate::detector::settings::Member;

/// The nodes of the configuration, this one included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticList(Vec<Member>);

impl StaticList {
    /// The list as the configuration has it.
    pub fn new(members: Vec<Member>) -> Self {
        Self(members)
    }

    /// The list is its own answer, and good for ever.
    pub(super) fn answer(&self) -> Answer {
        Answer { listing: Listing::of(self.0.clone()), good_for: Duration::MAX }
    }
}

impl Source for StaticList {
    const KIND: &'static str = "static";

    fn hint(_: Cause) -> &'static str {
        "correct the list below peers.discovery"
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        Ok(self.answer())
    }
}
