//! The questions about silent peers that are under way: each a task of its own beside the loop, and all of them gone when
//! the agent is.

use std::collections::BTreeMap;

use tokio::task::{Id, JoinError, JoinSet};

use crate::detector::evidence::{Evidence, HostAnswer, PortAnswer, Question};
use crate::identity::NodeId;

/// How many are under way at most (design, section 8): each holds two sockets.
const MOST: usize = 16;

/// What is asked, and by which task.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    tasks: JoinSet<Evidence>,
    peers: BTreeMap<Id, NodeId>,
}

impl Inquiries {
    /// Begins with what `ask` makes of the question; there is no answer yet. With too many under way it does not begin,
    /// and that is the answer.
    pub(super) fn begin<F>(&mut self, question: Question, ask: impl FnOnce(Question) -> F) -> Option<Evidence>
    where
        F: Future<Output = Evidence> + Send + 'static,
    {
        if self.tasks.len() >= MOST {
            return Some(not_asked(question.peer));
        }
        let task = self.tasks.spawn(ask(question));
        self.peers.insert(task.id(), question.peer);
        None
    }

    /// The next evidence; none if nothing is asked. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Option<Evidence> {
        let ended = self.tasks.join_next_with_id().await?;
        let peer = self.peers.remove(&ended.as_ref().map_or_else(JoinError::id, |&(id, _)| id));
        match ended {
            Ok((_, evidence)) => Some(evidence),
            Err(error) => {
                tracing::error!(%error, "a question failed: this is a fault in netsplit, please report it");
                peer.map(not_asked)
            }
        }
    }
}

fn not_asked(peer: NodeId) -> Evidence {
    Evidence { peer, host: HostAnswer::NotAsked, port: PortAnswer::NotAsked }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn question(peer: u64) -> Question {
        Question { peer: NodeId(peer), host: [127, 0, 0, 1].into(), port: None }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
    }

    fn replied(peer: NodeId) -> Evidence {
        Evidence { peer, host: HostAnswer::Replied, port: PortAnswer::Answered }
    }

    #[test]
    fn a_seventeenth_question_is_not_asked() {
        run(async {
            let mut inquiries = Inquiries::default();
            for peer in 0..16 {
                let asked = inquiries.begin(question(peer), |question| async move { replied(question.peer) });
                assert_eq!(asked, None);
            }
            let asked = inquiries.begin(question(16), |_| std::future::pending());
            assert_eq!(asked, Some(not_asked(NodeId(16))));
            for _ in 0..16 {
                assert_eq!(inquiries.next().await.unwrap().host, HostAnswer::Replied);
            }
            assert_eq!(inquiries.next().await, None);
            assert!(inquiries.peers.is_empty());
        });
    }

    #[test]
    fn a_question_that_fails_is_a_question_that_was_not_asked() {
        run(async {
            let mut inquiries = Inquiries::default();
            inquiries.begin(question(7), |_| async { panic!("a fault") });
            assert_eq!(inquiries.next().await, Some(not_asked(NodeId(7))));
        });
    }

    #[test]
    fn what_is_under_way_ends_with_the_agent() {
        run(async {
            let mut inquiries = Inquiries::default();
            let held = Arc::new(());
            let inside = Arc::clone(&held);
            inquiries.begin(question(7), |question| async move {
                std::future::pending::<()>().await;
                drop(inside);
                replied(question.peer)
            });
            drop(inquiries);
            while Arc::strong_count(&held) > 1 {
                tokio::task::yield_now().await;
            }
        });
    }
}
