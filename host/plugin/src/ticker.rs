//! The clock that wasm code is interrupted by.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often wasm code that runs looks up: yields to other tasks, and has its CPU time looked at.
const TICK: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    ended: bool,
}

/// Ticks the engine's epoch while a call runs, and sleeps while none does: an idle daemon has no wakeups. A plain thread, because a task
/// would starve behind the very code that it is to interrupt.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

impl Ticker {
    /// Starts the thread. Errors: the system gives no thread.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        thread::Builder::new().name("wasm-ticker".into()).spawn(move || run(&theirs, &engine))?;
        Ok(Ticker { shared })
    }

    /// Ticks until the guard is dropped.
    pub(crate) fn running(&self) -> Running {
        let mut state = lock(&self.shared);
        state.running += 1;
        if state.running == 1 {
            self.shared.wake.notify_one();
        }
        Running { shared: self.shared.clone() }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        lock(&self.shared).ended = true;
        self.shared.wake.notify_one();
    }
}

/// A call that runs.
pub(crate) struct Running {
    shared: Arc<Shared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.shared).running -= 1;
    }
}

// Nothing under this lock can panic, so a poisoned one is as good as any.
fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(shared: &Shared, engine: &Engine) {
    loop {
        let mut state = lock(shared);
        while state.running == 0 && !state.ended {
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            return;
        }
        drop(state);
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
