//! What crossing the border costs: one call on a live instance, the guest's building of its samples and our conversion to model samples included.
//! The aim: 1,500 packed samples in under 200 microseconds.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Lab, call};
use criterion::{Criterion, criterion_group, criterion_main};

fn boundary(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let lab = Lab::new();
    let Some(collector) = runtime.block_on(lab.collector("good", &[])) else { return };
    for what in ["packed 15", "packed 150", "packed 1500", "packed 15000", "families 1500", "ok"] {
        c.bench_function(what, |b| {
            b.iter(|| {
                let report = runtime.block_on(collector.collect(call(what)));
                assert!(report.outcome.is_ok());
            })
        });
    }
}

criterion_group!(benches, boundary);
criterion_main!(benches);
