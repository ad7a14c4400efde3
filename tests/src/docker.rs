//! A Docker engine of the test's own, with real containers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the engine may take to answer after its start.
const START: Duration = Duration::from_secs(40);

/// What a container has: the programs of busybox that the tests use.
const APPLETS: [&str; 7] = ["sh", "sleep", "dd", "ping", "true", "cat", "mkdir"];

/// A dockerd with its own folder, socket and bridge, and an image `box` made of busybox. Its containers go with it.
pub struct Docker {
    dir: TempDir,
    bridge: String,
    subnet: u8,
    child: Option<Child>,
}

impl Docker {
    /// Starts one; else says what is missing, or why the machine has no use for it.
    pub fn start() -> Result<Docker, String> {
        if !is_root() {
            return Err("root, to start a Docker engine".into());
        }
        for (program, package) in
            [("dockerd", "docker.io"), ("docker", "docker.io"), ("busybox", "busybox-static"), ("ip", "iproute2")]
        {
            find(program).ok_or(format!("{program} (package {package})"))?;
        }
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        // Two digits of the process make names that don't meet those of another run.
        let subnet = (std::process::id() % 250) as u8;
        let mut docker = Docker { dir, bridge: format!("wgtest{subnet}"), subnet, child: None };
        docker.add_bridge()?;
        let path = |name: &str| docker.dir.path().join(name);
        let log = std::fs::File::create(path("log")).map_err(|e| e.to_string())?;
        let child = Command::new(find("dockerd").unwrap_or_default())
            .arg("--data-root")
            .arg(docker.data())
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .args(["--host", &docker.host(), "--bridge", &docker.bridge])
            // Nothing of the machine's own is touched: containers need no way out.
            .args(["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("dockerd: {e}"))?;
        docker.child = Some(child);
        let end = Instant::now() + START;
        while let Err(e) = docker.run(&["info"]) {
            let ended = docker.child.as_mut().and_then(|c| c.try_wait().ok().flatten());
            if ended.is_some() || Instant::now() >= end {
                let log = std::fs::read_to_string(path("log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(format!("a machine where dockerd starts ({e}; its log ends: {last:#?})"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        docker.make_image()?;
        Ok(docker)
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// Where it keeps layers.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The bridge's own address, which containers can reach.
    pub fn gateway(&self) -> String {
        format!("10.213.{}.1", self.subnet)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Runs `docker ARGS`; what it printed.
    pub fn run(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(find("docker").unwrap_or_default())
            .env("DOCKER_HOST", self.host())
            .args(args)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| e.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(format!("docker {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
        }
    }

    /// Starts a container of the image in the background: options, then what its shell does. Gives its identifier.
    #[track_caller]
    pub fn container(&self, options: &[&str], script: &str) -> String {
        let args = [&["run", "--detach"], options, &["box:1", "sh", "-c", script]].concat();
        self.run(&args).unwrap_or_else(|e| panic!("{e}"))
    }

    fn make_image(&self) -> Result<(), String> {
        let root = self.dir.path().join("rootfs");
        let io = |e: std::io::Error| format!("the image: {e}");
        for sub in ["bin", "tmp"] {
            std::fs::create_dir_all(root.join(sub)).map_err(io)?;
        }
        let busybox = std::fs::read(find("busybox").unwrap_or_default()).map_err(io)?;
        // One that wants a C library finds none in its container.
        if has_interpreter(&busybox) {
            return Err("a busybox without libraries (package busybox-static)".into());
        }
        std::fs::write(root.join("bin/busybox"), busybox).map_err(io)?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.join("bin/busybox"), executable).map_err(io)?;
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).map_err(io)?;
        }
        let archive = self.dir.path().join("image.tar");
        let tar = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status().map_err(io)?;
        if !tar.success() {
            return Err(format!("tar: {tar}"));
        }
        self.run(&["import", &archive.to_string_lossy(), "box:1"]).map(|_| ())
    }

    fn add_bridge(&self) -> Result<(), String> {
        let address = format!("{}/24", self.gateway());
        ip(&["link", "add", &self.bridge, "type", "bridge"])?;
        ip(&["address", "add", &address, "dev", &self.bridge])?;
        ip(&["link", "set", &self.bridge, "up"])
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // Containers first: without their engine they would live on.
        if let Ok(ids) = self.run(&["ps", "--all", "--quiet"]) {
            let mut args = vec!["rm", "--force"];
            args.extend(ids.split_whitespace());
            if args.len() > 2 {
                let _ = self.run(&args);
            }
        }
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
        let _ = ip(&["link", "delete", &self.bridge]);
        // What a killed engine left mounted would keep the folder.
        for mount in mounts_below(self.dir.path()) {
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
    }
}

/// Tells whether a 64-bit program names a loader, and with it libraries (PT_INTERP, elf(5)).
fn has_interpreter(elf: &[u8]) -> bool {
    let number = |at: usize, len: usize| -> usize {
        elf.get(at..at + len).map_or(0, |b| b.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b)))
    };
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|i| number(start + i * size, 4) == 3)
}

fn mounts_below(dir: &Path) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = table.lines().filter_map(|l| l.split(' ').nth(1));
    let mut below: Vec<String> = points.filter(|p| Path::new(p).starts_with(dir)).map(str::to_owned).collect();
    below.reverse();
    below
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new(find("ip").unwrap_or_default()).args(args).output().map_err(|e| format!("ip: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("a machine where `ip {}` works ({})", args.join(" "), said.trim()))
    }
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|l| l.starts_with("Uid:\t0\t"))
}

/// Finds a program; servers and tools of the network lie in sbin, which is not on everyone's PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/sbin", "/sbin", "/bin"].map(PathBuf::from);
    usual.into_iter().chain(std::env::split_paths(&path)).map(|d| d.join(program)).find(|p| p.is_file())
}
