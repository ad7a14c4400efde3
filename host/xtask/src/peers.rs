//! The programs that judge us: current releases of Prometheus, promtool, Alertmanager and exporters, unpacked once from Debian's packages.
//!
//! Nothing is installed: a machine's own suite is too old for a judge, and another suite's packages have no place among its own. They
//! are downloaded by a private apt configuration and unpacked into the user's cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::sys;

/// What is fetched, and the program by which it is known to be there.
const PACKAGES: &str = "promtool prometheus prometheus-alertmanager prometheus-node-exporter prometheus-redis-exporter";
const PROGRAM: &str = "usr/bin/prometheus-alertmanager";

/// Downloads and unpacks. `$1` is the folder, `$2` the packages. The mirror is the machine's own, read from its sources; Alertmanager reads
/// its default templates from a fixed place, so that is linked to the folder where nothing stands there.
const SCRIPT: &str = r#"
set -euo pipefail
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 '/debian$')
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/lists/partial "$work"/cache/archives/partial "$work"/deb "$1"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" > "$work/sources.list"
own=(-qq -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
     -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache")
apt-get "${own[@]}" update
cd "$work/deb"
apt-get "${own[@]}" download $2
for package in *.deb; do dpkg-deb -x "$package" "$1"; done
if [ ! -e /usr/share/prometheus ]; then ln -s "$1/usr/share/prometheus" /usr/share/prometheus || true; fi
"#;

/// Gives the folder of the programs, fetching them once.
pub(crate) fn ensure() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("WATCHGLASS_PEERS") {
        return Ok(given.into());
    }
    let folder = sys::cache_dir()?.join("peers");
    if !folder.join(PROGRAM).is_file() || !std::path::Path::new("/usr/share/prometheus").exists() {
        if sys::find("apt-get").is_none() || sys::find("dpkg-deb").is_none() {
            bail!("Prometheus and Alertmanager are fetched from Debian's packages, and this machine has no apt-get");
        }
        sys::say(&format!("unpacking Prometheus and Alertmanager into {} (half a minute, once)", folder.display()));
        sys::run(Command::new("bash").args(["-c", SCRIPT, "peers"]).arg(&folder).arg(PACKAGES))?;
    }
    Ok(folder.join("usr/bin"))
}
