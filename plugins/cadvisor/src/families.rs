//! Every family there is: its name, type, help and own labels. `describe` and the collection both take them from here.

use watchglass_sdk::{Batch, Kind, Shared};

/// A family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    /// Labels beside those of the container or the machine.
    pub(crate) labels: &'static [&'static str],
}

impl Family {
    /// Adds a sample: `base` are the labels of the container or the machine, `own` the values of the family's own.
    pub(crate) fn put(&self, batch: &mut Batch, base: &Shared, own: &[&str], value: f64) {
        let mut family = batch.family(self.name, self.kind, self.help);
        if own.is_empty() {
            family.sample_of(base, &[], value);
        } else {
            let labels: Vec<(&str, &str)> = self.labels.iter().copied().zip(own.iter().copied()).collect();
            family.sample_of(base, &labels, value);
        }
    }
}

/// Declares the families and the list of them.
macro_rules! families {
    ($($id:ident $name:literal $kind:ident [$($label:literal)*] $help:literal;)*) => {
        $(pub(crate) const $id: Family = Family { name: $name, kind: Kind::$kind, help: $help, labels: &[$($label),*] };)*

        /// All of them.
        pub(crate) const ALL: &[Family] = &[$($id),*];
    };
}

families! {
    BLKIO_DEVICE_USAGE "container_blkio_device_usage_total" Counter ["device" "major" "minor" "operation"] "Bytes that went to and from a device, by operation.";
    CPU_BURST_PERIODS "container_cpu_cfs_burst_periods_total" Counter [] "Quota periods in which the container used more than its quota, saved before.";
    CPU_BURST_SECONDS "container_cpu_cfs_burst_seconds_total" Counter [] "Processor time used beyond the quota in bursts, in seconds.";
    CPU_PERIODS "container_cpu_cfs_periods_total" Counter [] "Quota periods that elapsed.";
    CPU_THROTTLED_PERIODS "container_cpu_cfs_throttled_periods_total" Counter [] "Quota periods in which the container was throttled.";
    CPU_THROTTLED_SECONDS "container_cpu_cfs_throttled_seconds_total" Counter [] "How long the container was throttled, in seconds.";
    CPU_LOAD "container_cpu_load_average_10s" Gauge [] "Tasks that run or want to, averaged over 10 seconds, in thousandths; 0 unless enable_load_reader is set.";
    CPU_LOAD_D "container_cpu_load_d_average_10s" Gauge [] "Tasks in uninterruptible sleep, averaged over 10 seconds, in thousandths; 0 unless enable_load_reader is set.";
    CPU_SYSTEM "container_cpu_system_seconds_total" Counter [] "Processor time spent in the kernel, in seconds.";
    CPU_USAGE "container_cpu_usage_seconds_total" Counter ["cpu"] "Processor time used, in seconds.";
    CPU_USER "container_cpu_user_seconds_total" Counter [] "Processor time spent in user mode, in seconds.";
    CREATED "container_creation_time_seconds" Gauge [] "When the container was created, in seconds of Unix time.";
    FILE_DESCRIPTORS "container_file_descriptors" Gauge [] "File descriptors that the container's processes hold open.";
    FS_INODES_FREE "container_fs_inodes_free" Gauge ["device"] "File nodes that are free on the file system.";
    FS_INODES "container_fs_inodes_total" Gauge ["device"] "File nodes: of the file system, or those in the container's writable layer.";
    FS_IO_COST_DELAY "container_fs_io_cost_indelay_seconds_total" Counter ["device"] "Time that io.cost delayed the container for its debts, in seconds.";
    FS_IO_COST_USAGE "container_fs_io_cost_usage_seconds_total" Counter ["device"] "Time of the device that io.cost charged to the container, in seconds.";
    FS_IO_COST_WAIT "container_fs_io_cost_wait_seconds_total" Counter ["device"] "Time that requests waited for io.cost's budget, in seconds.";
    FS_IO_CURRENT "container_fs_io_current" Gauge ["device"] "Requests in progress.";
    FS_IO_TIME "container_fs_io_time_seconds_total" Counter ["device"] "Time in which the device was busy, in seconds.";
    FS_IO_TIME_WEIGHTED "container_fs_io_time_weighted_seconds_total" Counter ["device"] "Time that requests were in progress, each counted, in seconds.";
    FS_LIMIT "container_fs_limit_bytes" Gauge ["device"] "Bytes that the container could use on the file system.";
    FS_READ_SECONDS "container_fs_read_seconds_total" Counter ["device"] "Time spent reading, in seconds.";
    FS_READS_BYTES "container_fs_reads_bytes_total" Counter ["device"] "Bytes read.";
    FS_READS_MERGED "container_fs_reads_merged_total" Counter ["device"] "Reads that were merged with others.";
    FS_READS "container_fs_reads_total" Counter ["device"] "Reads completed.";
    FS_SECTOR_READS "container_fs_sector_reads_total" Counter ["device"] "Sectors read.";
    FS_SECTOR_WRITES "container_fs_sector_writes_total" Counter ["device"] "Sectors written.";
    FS_USAGE "container_fs_usage_bytes" Gauge ["device"] "Bytes used on the file system: by all, or by the container's writable layer, its log and its settings.";
    FS_USAGE_AGE "container_fs_usage_age_seconds" Gauge [] "How long ago the container's layer was measured, in seconds.";
    FS_WRITE_SECONDS "container_fs_write_seconds_total" Counter ["device"] "Time spent writing, in seconds.";
    FS_WRITES_BYTES "container_fs_writes_bytes_total" Counter ["device"] "Bytes written.";
    FS_WRITES_MERGED "container_fs_writes_merged_total" Counter ["device"] "Writes that were merged with others.";
    FS_WRITES "container_fs_writes_total" Counter ["device"] "Writes completed.";
    HEALTH "container_health_state" Gauge [] "What the health check says: 1 healthy, 0 unhealthy, -1 not known.";
    LAST_SEEN "container_last_seen" Gauge [] "When the container was last seen, in seconds of Unix time.";
    MEMORY_CACHE "container_memory_cache" Gauge [] "Page cache, in bytes.";
    MEMORY_EVENTS_HIGH "container_memory_events_high_total" Counter [] "How often the container was slowed down for going over memory.high.";
    MEMORY_EVENTS_MAX "container_memory_events_max_total" Counter [] "How often the container was about to go over memory.max.";
    MEMORY_FAILCNT "container_memory_failcnt" Counter [] "How often usage hit the limit.";
    MEMORY_FAILURES "container_memory_failures_total" Counter ["failure_type" "scope"] "Page faults: of the container alone, or with all below it.";
    MEMORY_FILE_DIRTY "container_memory_file_dirty_bytes" Gauge [] "Page cache that was changed and not yet written, in bytes.";
    MEMORY_FILE_WRITEBACK "container_memory_file_writeback_bytes" Gauge [] "Page cache that is being written, in bytes.";
    MEMORY_KERNEL "container_memory_kernel_usage" Gauge [] "Memory that the kernel holds for the container, in bytes.";
    MEMORY_MAPPED_FILE "container_memory_mapped_file" Gauge [] "Files mapped into memory, in bytes.";
    MEMORY_MAX_USAGE "container_memory_max_usage_bytes" Gauge [] "Highest usage so far, in bytes.";
    MEMORY_PGSCAN "container_memory_pgscan_total" Counter [] "Pages that reclaim looked at.";
    MEMORY_PGSTEAL "container_memory_pgsteal_total" Counter [] "Pages that reclaim took back.";
    MEMORY_RSS "container_memory_rss" Gauge [] "Anonymous memory, in bytes.";
    MEMORY_SWAP "container_memory_swap" Gauge [] "Swap used, in bytes.";
    MEMORY_ACTIVE_FILE "container_memory_total_active_file_bytes" Gauge [] "Page cache that was used lately, in bytes.";
    MEMORY_INACTIVE_FILE "container_memory_total_inactive_file_bytes" Gauge [] "Page cache that was not used lately, in bytes.";
    MEMORY_USAGE "container_memory_usage_bytes" Gauge [] "Memory used, page cache included, in bytes.";
    MEMORY_WORKING_SET "container_memory_working_set_bytes" Gauge [] "Memory used less the page cache that was not used lately, in bytes.";
    MEMORY_REFAULT_ANON "container_memory_workingset_refault_anon_total" Counter [] "Anonymous pages that were evicted and wanted again.";
    MEMORY_REFAULT_FILE "container_memory_workingset_refault_file_total" Counter [] "File pages that were evicted and wanted again.";
    NETWORK_RX_BYTES "container_network_receive_bytes_total" Counter ["interface"] "Bytes received.";
    NETWORK_RX_ERRORS "container_network_receive_errors_total" Counter ["interface"] "Errors while receiving.";
    NETWORK_RX_DROPPED "container_network_receive_packets_dropped_total" Counter ["interface"] "Packets dropped while receiving.";
    NETWORK_RX_PACKETS "container_network_receive_packets_total" Counter ["interface"] "Packets received.";
    NETWORK_TX_BYTES "container_network_transmit_bytes_total" Counter ["interface"] "Bytes sent.";
    NETWORK_TX_ERRORS "container_network_transmit_errors_total" Counter ["interface"] "Errors while sending.";
    NETWORK_TX_DROPPED "container_network_transmit_packets_dropped_total" Counter ["interface"] "Packets dropped while sending.";
    NETWORK_TX_PACKETS "container_network_transmit_packets_total" Counter ["interface"] "Packets sent.";
    OOM_EVENTS "container_oom_events_total" Counter [] "Kills for want of memory.";
    PRESSURE_CPU_STALLED "container_pressure_cpu_stalled_seconds_total" Counter [] "Time in which no task could go on for want of a processor, in seconds.";
    PRESSURE_CPU_WAITING "container_pressure_cpu_waiting_seconds_total" Counter [] "Time in which tasks waited for a processor, in seconds.";
    PRESSURE_IO_STALLED "container_pressure_io_stalled_seconds_total" Counter [] "Time in which no task could go on for want of a disk, in seconds.";
    PRESSURE_IO_WAITING "container_pressure_io_waiting_seconds_total" Counter [] "Time in which tasks waited for a disk, in seconds.";
    PRESSURE_MEMORY_STALLED "container_pressure_memory_stalled_seconds_total" Counter [] "Time in which no task could go on for want of memory, in seconds.";
    PRESSURE_MEMORY_WAITING "container_pressure_memory_waiting_seconds_total" Counter [] "Time in which tasks waited for memory, in seconds.";
    PROCESSES "container_processes" Gauge [] "Processes in the container.";
    RESTARTS "container_restarts_total" Counter [] "How often the engine restarted the container.";
    SCRAPE_ERROR "container_scrape_error" Gauge [] "Whether something of the containers could not be collected.";
    SOCKETS "container_sockets" Gauge [] "Sockets that the container's processes hold open.";
    SPEC_CPU_PERIOD "container_spec_cpu_period" Gauge [] "Length of a quota period, in microseconds.";
    SPEC_CPU_QUOTA "container_spec_cpu_quota" Gauge [] "Processor time allowed in a period, in microseconds.";
    SPEC_CPU_SHARES "container_spec_cpu_shares" Gauge [] "Weight of the container on the processors.";
    SPEC_MEMORY_LIMIT "container_spec_memory_limit_bytes" Gauge [] "Memory allowed, in bytes; 0 is no limit.";
    SPEC_MEMORY_RESERVATION "container_spec_memory_reservation_limit_bytes" Gauge [] "Memory set aside for the container, in bytes; 0 is none.";
    SPEC_MEMORY_SWAP_LIMIT "container_spec_memory_swap_limit_bytes" Gauge [] "Swap allowed, in bytes (on cgroup v1 memory and swap together); 0 is no limit.";
    STARTED "container_start_time_seconds" Gauge [] "When the container was started, in seconds of Unix time.";
    TASKS "container_tasks_state" Gauge ["state"] "Tasks by state; 0 unless enable_load_reader is set.";
    THREADS "container_threads" Gauge [] "Tasks in the container.";
    THREADS_MAX "container_threads_max" Gauge [] "Tasks allowed; 0 is no limit.";
    ULIMITS "container_ulimits_soft" Gauge ["ulimit"] "Soft limits of the container's first process; -1 is no limit.";
    VERSION_INFO "cadvisor_version_info" Gauge ["kernelVersion" "osVersion" "dockerVersion" "cadvisorVersion" "cadvisorRevision"] "Versions of the kernel, the distribution, the engine and this collector; always 1.";
    MACHINE_BOOKS "machine_cpu_books" Gauge [] "Processor books (s390x).";
    MACHINE_CORES "machine_cpu_cores" Gauge [] "Logical processors.";
    MACHINE_DRAWERS "machine_cpu_drawers" Gauge [] "Processor drawers (s390x).";
    MACHINE_PHYSICAL_CORES "machine_cpu_physical_cores" Gauge [] "Physical processor cores.";
    MACHINE_SOCKETS "machine_cpu_sockets" Gauge [] "Processor sockets.";
    MACHINE_DIMM_BYTES "machine_dimm_capacity_bytes" Gauge ["type"] "Memory modules by type, in bytes.";
    MACHINE_DIMM_COUNT "machine_dimm_count" Gauge ["type"] "Memory modules by type.";
    MACHINE_MEMORY "machine_memory_bytes" Gauge [] "Memory of the machine, in bytes.";
    MACHINE_NVM_POWER "machine_nvm_avg_power_budget_watts" Gauge [] "Power budget of persistent memory modules, in watts.";
    MACHINE_NVM "machine_nvm_capacity" Gauge ["mode"] "Persistent memory by mode, in bytes.";
    MACHINE_SCRAPE_ERROR "machine_scrape_error" Gauge [] "Whether something of the machine could not be collected.";
    MACHINE_SWAP "machine_swap_bytes" Gauge [] "Swap of the machine, in bytes.";
}
