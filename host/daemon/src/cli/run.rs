//! `watchglass run`: the daemon, from its files to its last request.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args as ClapArgs;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use watchglass_alerts::AlertFilter;

use super::{Failure, print};
use crate::config::DEFAULT_TOML;
use crate::daemon::{Daemon, Overrides, load, refuse_unsendable};
use crate::http;

/// How often the plugin folder is looked at.
const FOLDER_EVERY: Duration = Duration::from_secs(2);
/// How often files of the configuration are looked at.
const SOURCES_EVERY: Duration = Duration::from_secs(5);
/// How often the store does what is due.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);
/// How long `--once` waits for a first alert to come out.
const ONCE_MAX: Duration = Duration::from_secs(30);

/// Runs the daemon.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The configuration; without one the defaults run, and the log says what they are.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen at, instead of `web.listen`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Data directory, instead of `storage.path`.
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
    /// Prints this machine's metrics and the first notification, then ends.
    #[arg(long)]
    once: bool,
    /// Writes the log as JSON.
    #[arg(long)]
    log_json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    start_log(args.log_json);
    let overrides = Overrides { listen: args.listen.clone(), data: args.data.clone(), port: None };
    let mut loaded = load(args.config.as_deref(), &overrides).map_err(|e| Failure::Bad(e.to_string()))?;
    refuse_unsendable(&loaded).map_err(|e| Failure::Bad(e.to_string()))?;
    super::runtime()?.block_on(async {
        // The port first: if it is taken, nothing else should have begun.
        let address = loaded.config.listen_address().map_err(|e| anyhow!("{e}"))?;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen at {address}\nhint: another process may have the port; choose one with --listen or web.listen")
        })?;
        let local = listener.local_addr().context("cannot tell the address that we listen at")?;
        // Port 0 is chosen by the system: links must name the one that it chose.
        let overrides = Overrides { port: Some(local.port()), ..overrides };
        overrides.apply(&mut loaded.config)?;
        if args.config.is_none() {
            tracing::info!("no --config: running with the defaults, which this file would say too:\n{DEFAULT_TOML}");
        }
        let max_connections = loaded.config.file.web.max_connections;
        let daemon = Daemon::new(&loaded, args.config.clone(), overrides).map_err(Failure::Unable)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(http::serve(listener, http::router(Arc::clone(&daemon)), max_connections, async {
            // Dropped or sent: both mean the end.
            let _ = stopped.await;
        }));
        daemon.start(loaded).await;
        tracing::info!("listening at http://{local}");
        let background = tokio::spawn(look_after(Arc::clone(&daemon)));
        let result = if args.once { once(&daemon).await } else { until_signal(&daemon).await };
        background.abort();
        let _ = stop.send(());
        let _ = server.await;
        let store = Arc::clone(&daemon.store);
        tokio::task::spawn_blocking(move || store.close()).await.context("bug: closing the store panicked")?.context("cannot close the data directory cleanly")?;
        result
    })
}

fn start_log(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second subscriber can only be set by mistake, and the first one stays.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
    };
}

/// What has to be looked at now and then: files, plugins, the store.
async fn look_after(daemon: Arc<Daemon>) {
    let mut folder = tokio::time::interval(FOLDER_EVERY);
    let mut sources = tokio::time::interval(SOURCES_EVERY);
    let mut maintain = tokio::time::interval(MAINTAIN_EVERY);
    loop {
        tokio::select! {
            _ = folder.tick() => {
                daemon.look_at_plugins().await;
                // The head may want to be cut sooner than its turn.
                if daemon.store.wants_maintenance() {
                    maintain.reset_immediately();
                }
            }
            _ = sources.tick() => {
                if daemon.sources_changed() {
                    // Its error is in the log and in the metrics.
                    let _ = daemon.reload().await;
                }
            }
            _ = maintain.tick() => {
                let store = Arc::clone(&daemon.store);
                let done = tokio::task::spawn_blocking(move || store.maintain(crate::now())).await;
                match done {
                    Ok(done) => done.failures.iter().for_each(|e| tracing::error!("the store: {e}")),
                    Err(panic) => tracing::error!(error = %panic, "bug: the store's maintenance panicked"),
                }
            }
        }
    }
}

async fn until_signal(daemon: &Arc<Daemon>) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    loop {
        tokio::select! {
            _ = hangup.recv() => drop(daemon.reload().await),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping");
    Ok(())
}

/// Waits until every target was collected, rules were evaluated and an alert was notified; prints what came of it.
async fn once(daemon: &Arc<Daemon>) -> Result<(), Failure> {
    let began = Instant::now();
    let notified = || {
        let metrics = daemon.alerting.metrics(crate::now());
        metrics.iter().any(|m| m.name == "alertmanager_notifications_total" && m.value > 0.0)
    };
    while began.elapsed() < ONCE_MAX && !(daemon.collection.all_collected() && notified()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut out = String::new();
    for view in daemon.collection.targets() {
        for target in &view.active {
            let state = if target.last_error.is_empty() {
                target.health.to_owned()
            } else {
                format!("{}: {}", target.health, target.last_error)
            };
            out.push_str(&format!("# target {} {} {state}\n", view.job, target.labels));
        }
    }
    let store = Arc::clone(&daemon.store);
    let now = crate::now();
    let every = [watchglass_model::Matcher::new("__name__", watchglass_model::MatchOp::Regex, ".+")
        .map_err(|e| anyhow!("{e}"))?];
    let series = tokio::task::spawn_blocking(move || store.select(&every, now - 300_000, now, usize::MAX, &|| false))
        .await
        .context("bug: reading the store panicked")?
        .context("cannot read the store")?;
    for series in &series {
        if let Some(last) = series.floats.last().filter(|p| !watchglass_model::is_stale_nan(p.v)) {
            out.push_str(&format!("{} {}\n", series.labels, watchglass_model::GoFloat(last.v)));
        }
    }
    for view in daemon.alerting.look().alerts(&AlertFilter::default(), now) {
        out.push_str(&format!(
            "# alert {} {} -> {}\n",
            view.status.state(),
            view.alert.labels,
            view.receivers.join(", ")
        ));
    }
    print(&out);
    let problems = daemon.collection.problems();
    if !problems.is_empty() {
        return Err(Failure::Bad(problems.join("\n")));
    }
    if !daemon.collection.all_collected() || !notified() {
        return Err(Failure::Bad(format!(
            "not everything was collected and notified within {ONCE_MAX:?}; the log above says what was late"
        )));
    }
    Ok(())
}
