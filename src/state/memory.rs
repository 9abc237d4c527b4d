//! What an agent begins with: the learning of earlier runs, and the way to keep its own. By default there is neither.

use super::keeper::Keeper;
use crate::detector::saved::Saved;
use crate::identity::Incarnation;

/// An agent's memory beyond its run.
#[derive(Debug, Default)]
pub struct Memory {
    /// What earlier runs learnt.
    pub saved: Saved,
    /// The number of this run, if it was chosen (and made durable) already.
    pub incarnation: Option<Incarnation>,
    /// Where to keep what is learnt. None: nowhere.
    pub keeper: Option<Keeper>,
}
