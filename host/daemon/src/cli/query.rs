//! `watchglass query` and `watchglass explain`: questions to a running daemon.

use anyhow::Context;
use clap::Args as ClapArgs;
use serde_json::Value;

use super::{Failure, print};

/// Evaluates an expression on a running daemon.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The PromQL expression.
    expr: String,
    /// Address of the daemon.
    #[arg(long, default_value = "http://127.0.0.1:9666")]
    url: String,
    /// When, in Unix seconds or RFC 3339; now where it is not given.
    #[arg(long)]
    time: Option<String>,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

/// Says why an alert was, or was not, notified.
#[derive(ClapArgs)]
pub(crate) struct ExplainArgs {
    /// Matchers of the alert (`alertname="TargetDown"`), or its name.
    alert: String,
    /// Address of the daemon.
    #[arg(long, default_value = "http://127.0.0.1:9666")]
    url: String,
}

async fn get(url: &str, path: &str, params: &[(&str, &str)]) -> Result<Value, Failure> {
    let base = url.trim_end_matches('/');
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let response = reqwest::get(format!("{base}{path}?{query}")).await.with_context(|| {
        format!("no daemon answers at {base}\nhint: start one with `watchglass run`, or name its address with --url")
    })?;
    let answer: Value = response.json().await.with_context(|| format!("{base}{path} did not answer in JSON"))?;
    if answer["status"] == "error" {
        return Err(Failure::Bad(format!("error: {}", answer["error"].as_str().unwrap_or("no reason given"))));
    }
    Ok(answer)
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut params = vec![("query", args.expr.as_str())];
    if let Some(time) = &args.time {
        params.push(("time", time));
    }
    let answer = super::runtime()?.block_on(get(&args.url, "/api/v1/query", &params))?;
    for key in ["warnings", "infos"] {
        for text in answer[key].as_array().into_iter().flatten() {
            eprintln!("{}", text.as_str().unwrap_or_default());
        }
    }
    if args.json {
        print(&format!("{}\n", answer["data"]));
        return Ok(());
    }
    let data = &answer["data"];
    let point = |p: &Value| format!("{} @ {}", p[1].as_str().map_or_else(|| p[1].to_string(), str::to_owned), p[0]);
    let mut out = String::new();
    match data["resultType"].as_str() {
        Some("scalar" | "string") => out = format!("{}\n", point(&data["result"])),
        _ => {
            for series in data["result"].as_array().into_iter().flatten() {
                let labels: watchglass_model::Labels = series["metric"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(n, v)| (n.as_str(), v.as_str().unwrap_or_default()))
                    .collect();
                let single =
                    ["value", "histogram"].iter().filter(|k| !series[**k].is_null()).map(|k| point(&series[*k]));
                let several = ["values", "histograms"]
                    .iter()
                    .flat_map(|k| series[*k].as_array().into_iter().flatten())
                    .map(point);
                let values: Vec<String> = single.chain(several).collect();
                out.push_str(&format!("{labels} => {}\n", values.join("\n    ")));
            }
        }
    }
    print(&out);
    Ok(())
}

pub(crate) fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let answer = super::runtime()?.block_on(get(&args.url, "/api/v1/explain", &[("alert", &args.alert)]))?;
    let decisions = answer["data"].as_array().cloned().unwrap_or_default();
    if decisions.is_empty() {
        print("nothing is known of such an alert\n");
        return Ok(());
    }
    for decision in decisions {
        print(&format!(
            "{}  {}  {}\n",
            decision["at"].as_str().unwrap_or_default(),
            decision["alert"].as_str().unwrap_or_default(),
            decision["text"].as_str().unwrap_or_default()
        ));
    }
    Ok(())
}
