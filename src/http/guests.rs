//! Who is being served, and who has to go when somebody new comes and all seats are taken.
//!
//! Whoever idles goes first (a head that does not come, a connection that is kept for later), the one that has idled
//! longest before all others; then whoever has been reading its answer longest. Long answers that have a limit of their own
//! (streams, and those who wait for a change) keep their seats: their limits together leave some for the rest. So a probe of
//! the kubelet gets through while hundreds of slow clients sit there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// All who are served.
pub(super) struct Guests {
    seats: usize,
    seated: HashMap<Id, (Arc<Seat>, AbortHandle)>,
    conversations: JoinSet<()>,
    moments: Arc<AtomicU64>,
}

/// One that has left, or failed.
pub(super) struct Gone(Result<(Id, ()), JoinError>);

/// The place of one of them.
pub(super) struct Seat {
    standing: Mutex<Standing>,
    /// Counts what any guest begins and ends: an order of moments, for which no clock is needed.
    moments: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    doing: Doing,
    since: u64,
}

/// What a guest does: in the order in which they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// Nothing: the next request is not there yet.
    Idle,
    /// It is being answered.
    Answered,
    /// It is being answered, under a limit of its own.
    Reserved,
}

/// A guest that is being answered, until this is dropped.
pub(super) struct Busy(Arc<Seat>);

impl Guests {
    /// Nobody yet, and so many seats.
    pub(super) fn of(seats: usize) -> Self {
        Self { seats, seated: HashMap::new(), conversations: JoinSet::new(), moments: Arc::default() }
    }

    /// Seats one more; whoever has to go for it does. False: all have limits of their own, and this one has to go.
    pub(super) fn seat<C>(&mut self, converse: impl FnOnce(Arc<Seat>) -> C) -> bool
    where
        C: Future<Output = ()> + Send + 'static,
    {
        self.forget_all_gone();
        if self.seated.len() >= self.seats && !self.make_room() {
            return false;
        }
        let seat = Arc::new(Seat::new(Arc::clone(&self.moments)));
        let conversation = self.conversations.spawn(converse(Arc::clone(&seat)));
        self.seated.insert(conversation.id(), (seat, conversation));
        true
    }

    /// Waits for the next one that goes, who is to be [forgotten](Self::forget) then. May be dropped at any time.
    pub(super) async fn next_gone(&mut self) -> Option<Gone> {
        self.conversations.join_next_with_id().await.map(Gone)
    }

    /// Frees the seat of one that is gone.
    pub(super) fn forget(&mut self, Gone(gone): Gone) {
        let id = match gone {
            Ok((id, ())) => id,
            Err(error) => {
                if !error.is_cancelled() {
                    tracing::error!(%error, "an HTTP answer failed: this is a fault in netsplit, please report it");
                }
                error.id()
            }
        };
        self.seated.remove(&id);
    }

    fn forget_all_gone(&mut self) {
        while let Some(gone) = self.conversations.try_join_next_with_id() {
            self.forget(Gone(gone));
        }
    }

    fn make_room(&mut self) -> bool {
        let standing = self.seated.iter().map(|(id, (seat, _))| (seat.standing(), *id));
        let may_go = standing.filter(|(standing, _)| standing.doing != Doing::Reserved);
        let first = may_go.min_by_key(|(standing, _)| (standing.doing, standing.since));
        let Some((_, id)) = first else { return false };
        if let Some((_, conversation)) = self.seated.remove(&id) {
            conversation.abort();
        }
        true
    }
}

impl Seat {
    fn new(moments: Arc<AtomicU64>) -> Self {
        let since = moments.fetch_add(1, Ordering::Relaxed);
        Self { standing: Mutex::new(Standing { doing: Doing::Idle, since }), moments }
    }

    /// Its guest is being answered from now on.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.change(Doing::Answered);
        Busy(Arc::clone(self))
    }

    /// Whether its guest is being answered under a limit of its own.
    pub(super) fn is_reserved(&self) -> bool {
        self.standing().doing == Doing::Reserved
    }

    fn change(&self, doing: Doing) {
        let since = self.moments.fetch_add(1, Ordering::Relaxed);
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Standing { doing, since };
    }

    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Busy {
    /// From now on it keeps its seat: its answer has a limit of its own.
    pub(super) fn reserve(&self) {
        self.0.change(Doing::Reserved);
    }

    /// From now on it may have to go.
    pub(super) fn release(&self) {
        self.0.change(Doing::Answered);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(Doing::Idle);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A guest that does this, and says on the channel when it is gone.
    fn sit(guests: &mut Guests, doing: Doing) -> (Option<Busy>, Receiver<()>) {
        let (alive, gone) = channel::<()>();
        let mut seat = None;
        let is_seated = guests.seat(|given| {
            seat = Some(given);
            async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            }
        });
        let busy = seat.filter(|_| is_seated && doing != Doing::Idle).map(|seat| seat.begin());
        busy.iter().filter(|_| doing == Doing::Reserved).for_each(Busy::reserve);
        (busy, gone)
    }

    fn is_gone(guest: &Receiver<()>) -> bool {
        guest.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected)
    }

    fn among_three(test: impl AsyncFnOnce(Guests)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(test(Guests::of(3)));
    }

    #[test]
    fn whoever_has_idled_longest_goes_first_and_then_who_reads_longest() {
        among_three(async |mut guests| {
            let reading = sit(&mut guests, Doing::Answered);
            let idle = sit(&mut guests, Doing::Idle);
            let later = sit(&mut guests, Doing::Idle);
            let mut others = Vec::new();
            for expected in [&idle, &later, &reading] {
                assert!(!is_gone(&expected.1));
                others.push(sit(&mut guests, Doing::Answered));
                guests.next_gone().await.into_iter().for_each(|gone| guests.forget(gone));
                assert!(is_gone(&expected.1));
            }
        });
    }

    #[test]
    fn whoever_was_answered_last_has_idled_shortest() {
        among_three(async |mut guests| {
            let (busy, first) = sit(&mut guests, Doing::Answered);
            let (_, second) = sit(&mut guests, Doing::Idle);
            let (_, third) = sit(&mut guests, Doing::Idle);
            drop(busy);
            sit(&mut guests, Doing::Idle);
            guests.next_gone().await;
            assert_eq!([is_gone(&first), is_gone(&second), is_gone(&third)], [false, true, false]);
        });
    }

    #[test]
    fn who_has_a_limit_of_its_own_keeps_its_seat() {
        among_three(async |mut guests| {
            let reserved: Vec<_> = (0..3).map(|_| sit(&mut guests, Doing::Reserved)).collect();
            let (_, late) = sit(&mut guests, Doing::Idle);
            assert!(is_gone(&late) && reserved.iter().all(|(_, guest)| !is_gone(guest)));
            reserved[1].0.as_ref().unwrap().release();
            let (_, next) = sit(&mut guests, Doing::Idle);
            guests.next_gone().await;
            assert!(is_gone(&reserved[1].1) && !is_gone(&next));
        });
    }
}
