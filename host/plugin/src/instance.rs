//! One wasm instance in its store, and calls into it that end whatever happens.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Store, Trap, UpdateDeadline};

use crate::grant::Grants;
use crate::host::Inner;
use crate::meter::Metered;
use crate::report::{CallFailure, CallStats, FailureReason};
use crate::state::{Shared, State};

/// Calls after which an instance is replaced: guests leak, and linear memory never shrinks.
const MAX_CALLS: u32 = 1_000;

/// Age after which an instance is replaced.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// Handles of resources that a guest may have.
const MAX_HANDLES: usize = 1_000;

/// Longest text of a trap.
const MAX_TRAP_TEXT: usize = 1_500;

/// A call in the making, of any lifetime.
pub(crate) type Calling<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

/// What an instance is started with.
pub(crate) struct Start {
    pub(crate) inner: Arc<Inner>,
    pub(crate) shared: Arc<Shared>,
    /// Wall clock of instantiating.
    pub(crate) deadline: Duration,
}

/// An instance; `B` is the bindings of its world. It is not to be used again after a call that failed.
pub(crate) struct Instance<B> {
    store: Store<State>,
    bindings: B,
    born: Instant,
    calls: u32,
    /// When it was last used.
    pub(crate) used: Instant,
}

impl<B: Send + Sync> Instance<B> {
    /// Makes a store and instantiates in it.
    pub(crate) async fn start<P: Sync>(
        start: &Start,
        pre: &P,
        instantiate: impl for<'a> FnOnce(&'a P, &'a mut Store<State>) -> Calling<'a, B>,
    ) -> Result<Instance<B>, CallFailure> {
        let mut store = Store::new(&start.inner.engine, State::new(start.shared.clone()));
        store.limiter(|state| &mut state.memory);
        store.set_max_component_handles(MAX_HANDLES);
        store.epoch_deadline_callback(|mut cx| {
            let state = cx.data_mut();
            if state.meter.spent() > state.cpu {
                state.cpu_over = true;
                return Ok(UpdateDeadline::Interrupt);
            }
            // Other tasks get their turn, and the wall clock's timeout its look.
            Ok(UpdateDeadline::Yield(1))
        });
        let (made, _) = guarded(&start.inner, pre, &mut store, start.deadline, Grants::default(), instantiate).await;
        let now = Instant::now();
        Ok(Instance { bindings: made?, store, born: now, calls: 0, used: now })
    }

    /// Makes a call. After an error the instance is to be dropped.
    pub(crate) async fn call<T: Send>(
        &mut self,
        inner: &Inner,
        deadline: Duration,
        target_grants: Grants,
        call: impl for<'a> FnOnce(&'a B, &'a mut Store<State>) -> Calling<'a, T>,
    ) -> (Result<T, CallFailure>, CallStats) {
        self.calls += 1;
        self.used = Instant::now();
        guarded(inner, &self.bindings, &mut self.store, deadline, target_grants, call).await
    }

    /// The store's data.
    pub(crate) fn state(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// Whether it may be used again.
    pub(crate) fn is_fit(&self, now: Instant) -> bool {
        let memory = &self.store.data().memory;
        self.calls < MAX_CALLS
            && now.saturating_duration_since(self.born) < MAX_AGE
            && memory.used() <= memory.limit() / 4 * 3
    }
}

/// Runs a call under all its limits.
async fn guarded<B: Sync, T: Send>(
    inner: &Inner,
    bindings: &B,
    store: &mut Store<State>,
    deadline: Duration,
    target_grants: Grants,
    call: impl for<'a> FnOnce(&'a B, &'a mut Store<State>) -> Calling<'a, T>,
) -> (Result<T, CallFailure>, CallStats) {
    let began = Instant::now();
    let log_dropped = store.data().shared.log.dropped();
    let fuel = store.data().shared.limits.hostcall_bytes;
    store.data_mut().begin(deadline, target_grants);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(fuel);
    let meter = store.data().meter.clone();
    let ended = {
        let _running = inner.ticker.running();
        tokio::time::timeout(deadline, Metered::new(meter.clone(), call(bindings, store))).await
    };
    let state = store.data();
    let result = match ended {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(error))) => Err(failure(&error, state)),
        Ok(Err(panic)) => Err(CallFailure::new(FailureReason::Host, format!("a host function broke down: {panic}"))),
        Err(_) => {
            Err(CallFailure::new(FailureReason::Timeout, format!("no answer within {} ms", deadline.as_millis())))
        }
    };
    let stats = CallStats {
        duration: began.elapsed(),
        cpu: meter.spent(),
        memory_bytes: state.memory.used(),
        hostcall_bytes: state.given,
        denied: state.denied,
        log_dropped: state.shared.log.dropped().saturating_sub(log_dropped),
    };
    (result, stats)
}

/// What an error of wasmtime's means.
fn failure(error: &wasmtime::Error, state: &State) -> CallFailure {
    if state.memory.met {
        let limit = state.memory.limit() >> 20;
        return CallFailure::new(
            FailureReason::Memory,
            format!("needed more than the {limit} MiB of memory that it may use"),
        );
    }
    if state.cpu_over {
        return CallFailure::new(
            FailureReason::Cpu,
            format!("ran for more than the {} ms of CPU that it may use", state.cpu.as_millis()),
        );
    }
    let text = format!("{error:#}");
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let frames = error.downcast_ref::<wasmtime::WasmBacktrace>().map(frames).unwrap_or_default();
        let text = format!("{trap}{frames}");
        return CallFailure::new(FailureReason::Trap, crate::convert::cut(&text, MAX_TRAP_TEXT));
    }
    if text.contains("fuel") {
        let mib = state.shared.limits.hostcall_bytes >> 20;
        return CallFailure::new(
            FailureReason::Invalid,
            format!("handed over more than the {mib} MiB that one call may"),
        );
    }
    // Lists and strings that don't lie in its memory, text that is no UTF-8, numbers that are no case of a variant.
    CallFailure::new(FailureReason::Invalid, crate::convert::cut(&text, MAX_TRAP_TEXT))
}

/// The innermost functions of a backtrace.
fn frames(backtrace: &wasmtime::WasmBacktrace) -> String {
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .take(6)
        .map(|f| f.func_name().map_or_else(|| format!("function {}", f.func_index()), str::to_owned))
        .collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" < ")) }
}
