//! Names of the kernel and the machine.

use crate::machine::{Machine, Memory};
use watchglass_sdk::prelude::*;

/// Collects. Without the grant for the system call procfs tells most of it; the architecture only since Linux 6.1.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let names = match m.system.uname() {
        Ok(n) => [n.system, n.release, n.version, n.machine, n.node, n.domain],
        Err(_) => {
            let paths = ["ostype", "osrelease", "version", "arch", "hostname", "domainname"].map(|f| m.proc(&format!("sys/kernel/{f}")));
            let mut texts = m.files.texts(&paths);
            if texts.iter().all(Option::is_none) {
                return Err(Error::NotFound("sys/kernel/ostype".to_owned()));
            }
            std::array::from_fn(|i| texts.get_mut(i).and_then(Option::take).unwrap_or_default())
        }
    };
    let labels = ["sysname", "release", "version", "machine", "nodename", "domainname"];
    let labels: Vec<(&str, &str)> = labels.into_iter().zip(names.iter().map(String::as_str)).collect();
    b.gauge("node_uname_info", "Labeled system information as provided by the uname system call.").sample(&labels, 1.0);
    Ok(())
}
