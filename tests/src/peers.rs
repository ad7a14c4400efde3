//! The programs that judge us: found in the folder `WATCHGLASS_PEERS` or on the PATH.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{eventually, free_port};

/// A program by any of its names; none where it is not installed.
pub fn peer_of(names: &[&str]) -> Option<PathBuf> {
    let folders = std::env::var_os("WATCHGLASS_PEERS").into_iter().chain(std::env::var_os("PATH"));
    let folders: Vec<PathBuf> = folders.flat_map(|v| std::env::split_paths(&v).collect::<Vec<_>>()).collect();
    folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|path| path.is_file())
}

/// A process that ends with the test.
pub struct Running(Child);

impl Running {
    /// Starts a program in a folder, its output thrown away.
    pub fn start(program: &Path, dir: &Path, args: &[String]) -> Running {
        let child = Command::new(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{} can't be started: {e}", program.display()));
        Running(child)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real Alertmanager on a port of its own.
pub struct Alertmanager {
    _process: Running,
    url: String,
}

impl Alertmanager {
    /// Starts one by a configuration file; none where it is not installed. `external_url` is what stands in its messages.
    pub fn start(config: &Path, external_url: &str) -> Option<Alertmanager> {
        let program = peer_of(&["prometheus-alertmanager", "alertmanager"])?;
        let (port, dir) = (free_port(), config.parent()?);
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", dir.join("alertmanager").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            format!("--web.external-url={external_url}"),
            "--web.route-prefix=/".to_owned(),
            "--cluster.listen-address=".to_owned(),
        ];
        let url = format!("http://127.0.0.1:{port}");
        let process = Running::start(&program, dir, &args);
        eventually("alertmanager is ready", || {
            let answer = reqwest::blocking::get(format!("{url}/-/ready")).map_err(|e| e.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
        });
        Some(Alertmanager { _process: process, url })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}
