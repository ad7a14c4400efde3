//! Several things at the same time on a bounded number of threads: rules of a group that don't depend on each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Calls `work` for 0 to `count`, on this thread and on others that it has permits for; the results in order.
///
/// Nothing waits for a permit: who gets none does all the work itself. The threads are scoped ones, not the pool's, so that a group that waits for its helpers
/// never waits for a pool that is full of groups that wait.
pub(crate) fn each<T: Send>(count: usize, permits: &Semaphore, work: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    let take = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return;
            }
            let result = work(i);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..count {
            let Ok(permit) = permits.try_acquire() else { break };
            let helper = std::thread::Builder::new().name("rules".to_owned()).spawn_scoped(scope, || {
                let _permit = permit;
                take();
            });
            // No thread to be had: the work is done here.
            if helper.is_err() {
                break;
            }
        }
        take();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn as_many_at_once_as_there_are_permits() {
        // Each waits for two others: that ends only if three run at the same time.
        let (permits, barrier) = (Semaphore::new(2), Barrier::new(3));
        let threads = each(6, &permits, &|i| {
            barrier.wait();
            (i, thread::current().id())
        });
        assert_eq!(threads.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(threads.iter().map(|(_, id)| *id).collect::<HashSet<_>>().len(), 3);
        assert_eq!(permits.available_permits(), 2, "permits come back");
    }

    #[test]
    fn without_permits_the_caller_works_alone() {
        let here = thread::current().id();
        assert!(each(4, &Semaphore::new(0), &|_| thread::current().id()).iter().all(|id| *id == here));
        assert!(each(0, &Semaphore::new(4), &|i| i).is_empty());
    }
}
