//! Work on many series, spread over the machine's cores.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Series of one helping: enough that fetching the next is nothing beside it, few enough that all threads end together.
const BLOCK: usize = 256;
/// Below this many series starting threads takes longer than they save.
const WORTH_IT: usize = 4 * BLOCK;
/// Queries run beside each other and beside everything else, so none takes a large machine for itself.
const THREADS_MAX: usize = 4;

/// Calls `f` with blocks of the items, on several threads where there are many items; gives what the blocks gave, in their order.
///
/// The first failure ends the work; which one it is, where several fail, is open.
pub(crate) fn map_blocks<T, R, E>(items: &[T], f: impl Fn(&[T]) -> Result<R, E> + Sync) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(THREADS_MAX);
    if threads < 2 || items.len() < WORTH_IT {
        return items.chunks(BLOCK).map(f).collect();
    }
    spread(items, threads, f)
}

fn spread<T, R, E>(items: &[T], threads: usize, f: impl Fn(&[T]) -> Result<R, E> + Sync) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    let blocks = items.len().div_ceil(BLOCK);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = items.chunks(BLOCK).nth(at) else { return Ok(done) };
            match f(block) {
                Ok(result) => done.push((at, result)),
                Err(e) => {
                    // Nobody begins another one.
                    next.store(blocks, Ordering::Relaxed);
                    return Err(e);
                }
            }
        }
    };
    let scope = crossbeam::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|_| work())).collect();
        let mut all = work()?;
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.sort_unstable_by_key(|(at, _)| *at);
        Ok(all.into_iter().map(|(_, result)| result).collect())
    });
    match scope {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_once_and_in_order() {
        for n in [0, 1, BLOCK, WORTH_IT, 10 * BLOCK + 1] {
            let items: Vec<usize> = (0..n).collect();
            for threads in [1, 2, 7] {
                let blocks = spread(&items, threads, |block| Ok::<_, ()>(block.to_vec())).unwrap();
                assert_eq!(blocks.concat(), items, "{n} items, {threads} threads");
            }
            assert_eq!(map_blocks(&items, |block| Ok::<_, ()>(block.to_vec())).unwrap().concat(), items);
        }
    }

    #[test]
    fn a_failure_is_the_result() {
        let items: Vec<usize> = (0..20 * BLOCK).collect();
        let fail = |block: &[usize]| if block.contains(&3000) { Err("no") } else { Ok(()) };
        assert_eq!(map_blocks(&items, fail), Err("no"));
        assert_eq!(spread(&items, 3, fail), Err("no"));
    }
}
