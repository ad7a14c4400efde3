//! The command line. Exit codes: 0 done; 1 it ran and the answer is bad (a test failed, a file is wrong); 2 it could not run.

mod check;
mod plugin;
mod query;
mod run;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sandboxed WebAssembly plugins, stored, watched and alerted on by one daemon.
#[derive(Parser)]
#[command(name = "watchglass", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the daemon.
    Run(run::Args),
    /// Checks files without running anything.
    #[command(subcommand)]
    Check(check::Command),
    /// Evaluates an expression on a running daemon.
    Query(query::Args),
    /// Says why an alert was, or was not, notified.
    Explain(query::ExplainArgs),
    /// Runs rule unit tests and PromQL test scripts.
    #[command(subcommand)]
    Test(test::Command),
    /// Looks at plugins and runs them by hand.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Compiles one component; what the daemon starts for each new plugin, with limits of its own.
    #[command(hide = true)]
    CompilePlugin {
        /// The component.
        input: PathBuf,
        /// Where the artifact goes.
        output: PathBuf,
    },
}

/// Why a command failed.
pub(crate) enum Failure {
    /// It ran, and what it looked at is wrong: exit code 1. The text is printed as it is.
    Bad(String),
    /// It could not run: exit code 2.
    Unable(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(e: anyhow::Error) -> Failure {
        Failure::Unable(e)
    }
}

/// Parses the command line, runs the command, prints what went wrong.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Check(command) => check::run(command),
        Command::Query(args) => query::run(args),
        Command::Explain(args) => query::explain(args),
        Command::Test(command) => test::run(command),
        Command::Plugin(command) => plugin::run(command),
        Command::CompilePlugin { input, output } => {
            watchglass_plugin::Host::compile_plugin(&input, &output).map_err(Failure::Bad)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Bad(text)) => {
            eprintln!("{}", text.trim_end());
            ExitCode::from(1)
        }
        Err(Failure::Unable(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Prints to standard output; a reader that went away (`| head`) ends the program quietly.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// A runtime for the commands that speak to the network.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
