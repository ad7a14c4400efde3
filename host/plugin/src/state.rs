//! What a store holds beside the wasm instance: who it is, what it may do, what it did.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::grant::{Denied, Grants};
use crate::imports::{BodySlot, ConnectionSlot, LogSink, Slots, Tls};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::secrets::Secrets;

/// What all instances of a collector share.
pub(crate) struct Shared {
    /// What the operator grants, of the kinds that the manifest wants.
    pub(crate) grants: Arc<Grants>,
    /// Its secrets.
    pub(crate) secrets: Secrets,
    /// Limits.
    pub(crate) limits: Limits,
    /// Memory of an instance, bytes.
    pub(crate) memory: u64,
    /// Where log lines go.
    pub(crate) log: Arc<LogSink>,
    /// TLS with the machine's certificates.
    pub(crate) tls: Arc<Tls>,
    /// Mounts that hang.
    pub(crate) mounts: Arc<crate::imports::Mounts>,
    /// Threads that this collector may have reading files.
    pub(crate) file_threads: Arc<tokio::sync::Semaphore>,
}

/// Threads that one collector may have reading files at once.
pub(crate) const FILE_THREADS: usize = 8;

/// The data of a store.
pub(crate) struct State {
    pub(crate) shared: Arc<Shared>,
    /// What the target of this call brings.
    pub(crate) target_grants: Grants,
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: MemoryLimit,
    pub(crate) connections: Slots<ConnectionSlot>,
    pub(crate) bodies: Slots<BodySlot>,
    /// When the call has to be over.
    pub(crate) deadline: Instant,
    /// CPU time that the call may take.
    pub(crate) cpu: Duration,
    /// Whether the CPU time was over.
    pub(crate) cpu_over: bool,
    /// Imports that answered `denied` in this call.
    pub(crate) denied: u32,
    /// Bytes that imports gave in this call.
    pub(crate) given: u64,
    wasi: WasiCtx,
    wasi_table: ResourceTable,
}

/// WASI resources (streams of stdout, say) of one instance.
const MAX_WASI_RESOURCES: usize = 256;

/// What is kept of a call's time for the plugin to tell of an import that took too long.
const RESERVE: Duration = Duration::from_millis(500);

impl State {
    /// A new store's data.
    pub(crate) fn new(shared: Arc<Shared>) -> State {
        let mut wasi_table = ResourceTable::new();
        wasi_table.set_max_capacity(MAX_WASI_RESOURCES);
        State {
            target_grants: Grants::default(),
            meter: Arc::new(Meter::default()),
            memory: MemoryLimit::new(shared.memory),
            connections: Slots::new(shared.limits.connections),
            bodies: Slots::new(shared.limits.connections),
            deadline: Instant::now(),
            cpu: shared.limits.cpu,
            cpu_over: false,
            denied: 0,
            given: 0,
            wasi: crate::imports::wasi_shell(&shared.log),
            wasi_table,
            shared,
        }
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, deadline: Duration, target_grants: Grants) {
        self.meter.reset();
        self.target_grants = target_grants;
        // What the plugin asks of the host ends a little before the call does, so that a target that hangs is told of by the plugin instead
        // of costing it its instance.
        self.deadline = Instant::now() + deadline - (deadline / 10).min(RESERVE);
        self.cpu_over = false;
        self.denied = 0;
        self.given = 0;
    }

    /// Ends a call: bodies that nobody took die.
    pub(crate) fn end(&mut self) {
        self.bodies.clear();
        self.target_grants = Grants::default();
    }

    /// Checks a request against the operator's grants, then against the target's. Counts what is denied.
    pub(crate) fn allow(&mut self, check: impl Fn(&Grants) -> Result<(), Denied>) -> Result<(), Denied> {
        match check(&self.shared.grants) {
            Ok(()) => Ok(()),
            Err(denied) if check(&self.target_grants).is_err() => {
                self.denied = self.denied.saturating_add(1);
                Err(denied)
            }
            Err(_) => Ok(()),
        }
    }

    /// How long an operation may take: as asked, at most as long as the call still has.
    pub(crate) fn time(&self, asked_ms: u32) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Duration::from_millis(u64::from(asked_ms)).min(left)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.wasi_table }
    }
}

/// Limits linear memory over all memories of an instance, and remembers that it had to.
pub(crate) struct MemoryLimit {
    limit: u64,
    used: u64,
    /// Whether the limit was met.
    pub(crate) met: bool,
    tables: StoreLimits,
}

/// Elements of one table: function pointers, some thousands in CPython.
const TABLE_ELEMENTS: usize = 100_000;

/// Instances in one component: CPython links many modules.
const INSTANCES: usize = 100;

/// Memories and tables in one component.
const MEMORIES: usize = 32;

impl MemoryLimit {
    fn new(limit: u64) -> MemoryLimit {
        let tables = wasmtime::StoreLimitsBuilder::new().table_elements(TABLE_ELEMENTS).build();
        MemoryLimit { limit, used: 0, met: false, tables }
    }

    /// Linear memory in use, bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// The limit, bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        if self.used.saturating_add(more) > self.limit {
            self.met = true;
            // A trap at once names the cause; a guest's own failed allocation would end as an `unreachable`.
            return Err(wasmtime::Error::msg(format!("memory limit of {} MiB", self.limit >> 20)));
        }
        self.used += more;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.tables.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        MEMORIES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}
