//! Room on file systems, with mounts that hang.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::errors::Error;

/// Mounts that may hang at once, over all plugins: a thread sticks in the kernel for each, and nothing can end it.
const MAX_STUCK: usize = 16;

/// Which mounts are being asked longer than somebody wanted to wait.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    stuck: Mutex<HashSet<String>>,
}

impl Mounts {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks on a thread of its own. One that is still being asked from an earlier call answers `timed-out` at once.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        mount: &str,
        timeout: Duration,
        question: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        {
            let stuck = self.lock();
            if stuck.contains(mount) || stuck.len() >= MAX_STUCK {
                return Err(Error::TimedOut);
            }
        }
        let (send, mut receive) = oneshot::channel();
        let (mounts, name) = (self.clone(), mount.to_owned());
        // Not one of the runtime's threads: a stuck one would keep it from ending, and take the place of useful ones.
        let spawned = std::thread::Builder::new().name("statvfs".into()).spawn(move || {
            let answer = question();
            // Nobody waits any more: the mount came back.
            if send.send(answer).is_err() {
                mounts.lock().remove(&name);
            }
        });
        if let Err(e) = spawned {
            return Err(super::errors::of_io(format_args!("{mount}: a thread"), &e));
        }
        match tokio::time::timeout(timeout, &mut receive).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(super::errors::of_io(mount, &io::Error::other("asking broke down"))),
            Err(_) => {
                // The name goes in before the channel closes: the thread takes it out only after it found the channel closed, under this lock.
                let mut stuck = self.lock();
                stuck.insert(mount.to_owned());
                receive.close();
                match receive.try_recv() {
                    Ok(answer) => {
                        stuck.remove(mount);
                        answer
                    }
                    Err(_) => Err(Error::TimedOut),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_mount_that_hangs_answers_at_once_until_it_is_back() {
        let mounts = Arc::new(Mounts::default());
        let (free, hang) = mpsc::channel::<()>();
        let wait = move || {
            let _ = hang.recv();
            Ok(1)
        };
        let first = mounts.ask("/nfs", Duration::from_millis(20), wait).await;
        assert!(matches!(first, Err(Error::TimedOut)));
        let at_once = mounts.ask("/nfs", LONG, || Ok(2)).await;
        assert!(matches!(at_once, Err(Error::TimedOut)), "no second thread is risked");
        assert!(matches!(mounts.ask("/other", LONG, || Ok(3)).await, Ok(3)));
        drop(free);
        while !mounts.lock().is_empty() {
            std::thread::yield_now();
        }
        assert!(matches!(mounts.ask("/nfs", LONG, || Ok(4)).await, Ok(4)));
    }

    #[tokio::test]
    async fn threads_that_stick_are_bounded() {
        let mounts = Arc::new(Mounts::default());
        let mut keep = Vec::new();
        for i in 0..MAX_STUCK + 5 {
            let (free, hang) = mpsc::channel::<()>();
            keep.push(free);
            let name = format!("/{i}");
            let asked = mounts.ask(&name, Duration::from_millis(1), move || hang.recv().map_err(|_| Error::TimedOut));
            assert!(matches!(asked.await, Err(Error::TimedOut)));
        }
        assert_eq!(mounts.lock().len(), MAX_STUCK);
    }
}
