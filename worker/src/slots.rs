//! Places for running tasks, given to the most urgent lane that waits.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use hive_queue::Lane;
use tokio::sync::oneshot;

/// Every this many grants the least urgent lane that waits goes first, so that it never starves.
const AGEING: u64 = 8;

/// A number of places. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots {
    // Protects the count of free places and the queues of those who wait; held for a few instructions.
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    grants: u64,
    waiting: [VecDeque<oneshot::Sender<Slot>>; Lane::COUNT],
}

/// A place; free again when dropped.
pub(crate) struct Slot {
    slots: Option<Slots>,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        let state = State { free: count, grants: 0, waiting: Default::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a place.
    pub(crate) async fn acquire(&self, lane: Lane) -> Slot {
        let waiting = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.free > 0 {
                state.free -= 1;
                state.grants += 1;
                return Slot { slots: Some(self.clone()) };
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting[lane.index()].push_back(sender);
            receiver
        };
        match waiting.await {
            Ok(slot) => slot,
            // The sender lives in the state, which this value keeps alive, and leaves it only with a slot.
            Err(_) => std::future::pending().await,
        }
    }

    /// A place that nobody waits for, if there is one.
    pub(crate) fn take_free(&self) -> Option<Slot> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.free == 0 {
            return None;
        }
        state.free -= 1;
        state.grants += 1;
        Some(Slot { slots: Some(self.clone()) })
    }

    fn release(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.grants += 1;
        let least_first = state.grants.is_multiple_of(AGEING);
        for n in 0..Lane::COUNT {
            let lane = if least_first { Lane::COUNT - 1 - n } else { n };
            while let Some(waiter) = state.waiting[lane].pop_front() {
                match waiter.send(Slot { slots: Some(self.clone()) }) {
                    Ok(()) => return,
                    // Whoever waited is gone: its slot must not come back here while the lock is held.
                    Err(mut unwanted) => unwanted.slots = None,
                }
            }
        }
        state.free += 1;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.slots.take() {
            slots.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::BoxFuture};

    use super::*;

    fn wait(slots: &Slots, lane: Lane) -> BoxFuture<'static, Slot> {
        let slots = slots.clone();
        let mut waiting = async move { slots.acquire(lane).await }.boxed();
        assert!((&mut waiting).now_or_never().is_none());
        waiting
    }

    #[test]
    fn the_most_urgent_lane_is_served_first() {
        let slots = Slots::new(1);
        let held = slots.acquire(Lane::Normal).now_or_never().unwrap();
        let mut low = wait(&slots, Lane::Low);
        let mut urgent = wait(&slots, Lane::Urgent);
        drop(held);
        assert!((&mut low).now_or_never().is_none());
        let held = (&mut urgent).now_or_never().unwrap();
        drop(held);
        assert!(low.now_or_never().is_some());
    }

    #[test]
    fn the_least_urgent_lane_does_not_starve() {
        let slots = Slots::new(1);
        let mut held = slots.acquire(Lane::Urgent).now_or_never().unwrap();
        let mut low = wait(&slots, Lane::Low);
        for _ in 0..AGEING {
            let mut urgent = wait(&slots, Lane::Urgent);
            drop(held);
            match (&mut urgent).now_or_never() {
                Some(slot) => held = slot,
                None => {
                    assert!((&mut low).now_or_never().is_some());
                    return;
                }
            }
        }
        panic!("the low lane was never served");
    }

    #[test]
    fn a_place_survives_a_waiter_that_left() {
        let slots = Slots::new(1);
        let held = slots.acquire(Lane::Normal).now_or_never().unwrap();
        drop(wait(&slots, Lane::Urgent));
        drop(held);
        assert!(slots.acquire(Lane::Low).now_or_never().is_some());
    }
}
