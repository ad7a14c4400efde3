//! A real Prometheus, as a judge.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::eventually;

/// A program of Prometheus' house: in `WATCHGLASS_PEERS`, else on the PATH.
pub fn peer(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("WATCHGLASS_PEERS").map(PathBuf::from).into_iter().collect();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A running Prometheus that receives remote writes and scrapes nothing. Killed when dropped.
pub struct Prometheus {
    child: Child,
    url: String,
}

impl Prometheus {
    /// Starts one with its data in a folder, or says that the machine has none.
    pub fn start(dir: &Path, args: &[&str]) -> Option<Prometheus> {
        let program = peer("prometheus")?;
        let config = dir.join("prometheus.yml");
        std::fs::write(&config, "scrape_configs: []\n").expect("a file");
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("prometheus-data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--web.enable-remote-write-receiver"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, rest) = line.split_once("msg=\"Listening on\"").or_else(|| line.split_once("msg=Listening on"))?;
            let (_, address) = rest.split_once("address=")?;
            Some(address.split_whitespace().next().unwrap_or_default().trim_matches('"').to_owned())
        });
        let address = address.expect("prometheus prints its address");
        // It stops when nobody reads what it logs.
        std::thread::spawn(move || lines.for_each(drop));
        let prometheus = Prometheus { child, url: format!("http://{address}") };
        eventually("prometheus is ready", || {
            let ready = reqwest::blocking::get(format!("{}/-/ready", prometheus.url)).map_err(|e| e.to_string())?;
            if ready.status().is_success() { Ok(()) } else { Err(ready.status().to_string()) }
        });
        Some(prometheus)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
