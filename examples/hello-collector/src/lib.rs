//! The smallest collector that has everything: a config, a file it asks leave to read, samples with labels, a test.
//!
//! Build it with `cargo component build --release --target wasm32-unknown-unknown`, put the .wasm file into Watchglass' plugin folder,
//! and add to watchglass.toml:
//!
//! ```toml
//! [[collector]]
//! name = "hello"
//! plugin = "hello_collector"
//! grants = ["files:/proc"]
//! [collector.config]
//! greeting = "hi"
//! ```

use serde::Deserialize;
use watchglass_sdk::files::{Files, HostFiles};
use watchglass_sdk::prelude::*;

/// What an operator may write under `[collector.config]`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    greeting: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { greeting: "hello".to_owned() }
    }
}

const SCHEMA: &str = r#"{"type": "object", "additionalProperties": false, "properties": {"greeting": {"type": "string", "default": "hello"}}}"#;

/// The collector: made anew whenever its config changes, asked for samples at each interval.
struct Hello {
    config: Config,
    greetings: u64,
}

impl Collector for Hello {
    /// What the plugin is. The host asks this first, with everything denied.
    fn describe() -> Manifest {
        Manifest::new("hello", env!("CARGO_PKG_VERSION"), "greets, and tells how long the machine is up")
            .schema(SCHEMA)
            .wants(Capability::Files, "/proc", "to read /proc/uptime")
            .declares("hello_greetings_total", Kind::Counter, "Greetings said.", &["greeting"])
            .declares("hello_uptime_seconds", Kind::Gauge, "Time since the machine was started.", &[])
    }

    fn configure(config: &Json) -> Result<Self, Vec<Problem>> {
        Ok(Hello { config: config::decode(config)?, greetings: 0 })
    }

    /// One collection. An error means that there is nothing to tell: the target is down.
    fn collect(&mut self, _ctx: &Context) -> Result<Collection, Error> {
        self.greetings += 1;
        Ok(samples(&HostFiles, &self.config.greeting, self.greetings)?.into())
    }
}

/// Makes the samples. Files are an argument, so that the test below can bring its own.
fn samples(files: &dyn Files, greeting: &str, greetings: u64) -> Result<Batch, Error> {
    let text = files.text("/proc/uptime")?;
    let uptime = text.split(' ').next().and_then(|word| word.parse().ok());
    let uptime = uptime.ok_or_else(|| Error::protocol(format!("/proc/uptime: cannot read `{}`", text.trim_end())))?;

    let mut batch = Batch::new();
    batch.counter("hello_greetings_total", "Greetings said.").sample(&[("greeting", greeting)], greetings as f64);
    batch.gauge("hello_uptime_seconds", "Time since the machine was started.").value(uptime);
    Ok(batch)
}

// This line makes a component of it.
watchglass_sdk::export_collector!(Hello);

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_sdk::files::StdFiles;

    #[test]
    fn it_greets() {
        let batch = samples(&StdFiles, "hi", 3).unwrap();
        assert_eq!(batch.get("hello_greetings_total", &[("greeting", "hi")]), Some(3.0));
        assert!(batch.get("hello_uptime_seconds", &[]).unwrap() > 0.0);
    }

    #[test]
    fn a_wrong_config_is_said_with_its_place() {
        let problems = Hello::configure(&serde_json::json!({"greeting": 7})).err().unwrap();
        assert_eq!(problems[0].path, "greeting");
    }
}
