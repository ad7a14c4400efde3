//! Compiling: the child's side, and how the host calls it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::process::Command;

use crate::engine;
use crate::host::Compiler;

/// Memory of the compiling child. CPython, the biggest seen, takes 310 MiB.
const CHILD_MEMORY: u64 = 1536 << 20;

/// CPU time of the compiling child. CPython takes 5 s on two cores, in release.
const CHILD_CPU_SECONDS: u64 = 60;

/// Wall clock of the compiling child: CPU time on a very busy machine.
const CHILD_DEADLINE: Duration = Duration::from_secs(180);

/// Longest message that is taken from a child.
const MAX_MESSAGE: usize = 2_000;

/// In the child: limits itself, compiles.
pub(crate) fn child(input: &Path, output: &Path) -> Result<(), String> {
    let limit = |resource, value| {
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
            .map_err(|e| format!("limiting the compiler: {e}"))
    };
    limit(Resource::As, CHILD_MEMORY)?;
    limit(Resource::Cpu, CHILD_CPU_SECONDS)?;
    limit(Resource::Core, 0)?;
    to_file(input, output)
}

/// Compiles without limits.
pub(crate) fn to_file(input: &Path, output: &Path) -> Result<(), String> {
    let bytes = fs::read(input).map_err(|e| format!("reading {}: {e}", input.display()))?;
    let engine = engine::engine().map_err(|e| format!("making the compiler: {e:#}"))?;
    let code = engine.precompile_component(&bytes).map_err(|e| format!("{e:#}"))?;
    fs::write(output, code).map_err(|e| format!("writing {}: {e}", output.display()))
}

/// In the host: has a component compiled into a file.
pub(crate) async fn run(compiler: &Compiler, input: &Path, output: &Path) -> Result<(), String> {
    let (program, args) = match compiler {
        Compiler::Program(program, args) => (program, args),
        Compiler::InProcess => {
            let (input, output) = (input.to_owned(), output.to_owned());
            let done = tokio::task::spawn_blocking(move || to_file(&input, &output)).await;
            return done.unwrap_or_else(|e| Err(format!("the compiler broke down: {e}")));
        }
    };
    let mut command = Command::new(program);
    command.args(args).arg(input).arg(output);
    // An address space limit counts what malloc and thread stacks merely reserve: few arenas and few threads on any machine.
    command.env_clear().env("MALLOC_ARENA_MAX", "2").env("RAYON_NUM_THREADS", threads().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let name = program.display();
    let child = command.spawn().map_err(|e| format!("starting the compiler {name}: {e}"))?;
    let done = tokio::time::timeout(CHILD_DEADLINE, child.wait_with_output()).await;
    let output = match done {
        Err(_) => return Err(format!("compiling took longer than {} s", CHILD_DEADLINE.as_secs())),
        Ok(Err(e)) => return Err(format!("waiting for the compiler {name}: {e}")),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(MAX_MESSAGE).collect();
    use std::os::unix::process::ExitStatusExt;
    Err(match (output.status.signal(), said.is_empty()) {
        (Some(signal), _) if signal == libc::SIGXCPU || signal == libc::SIGKILL => format!(
            "compiling took more than the {CHILD_CPU_SECONDS} s of CPU or {} MiB of memory that a plugin may take",
            CHILD_MEMORY >> 20
        ),
        // Rust aborts where memory can't be had.
        (Some(signal), _) if signal == libc::SIGABRT => {
            format!("compiling needed more than {} MiB of memory, or broke down: {said}", CHILD_MEMORY >> 20)
        }
        (Some(signal), _) => format!("the compiler broke down with signal {signal}: {said}"),
        (None, true) => format!("the compiler ended with {} and said nothing", output.status),
        (None, false) => said,
    })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(4))
}
