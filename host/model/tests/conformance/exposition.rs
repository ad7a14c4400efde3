//! Exposition formats in: what must be read, how, and what must be refused.

use serde_json::Value as Json;
use watchglass_model::exposition::{ExpositionOptions, Format, check_openmetrics, parse_exposition_with};
use watchglass_model::{Labels, SampleBatch, Value};

fn parse(format: Format, body: &[u8]) -> Result<SampleBatch, String> {
    parse_exposition_with(format, body, 0, &ExpositionOptions::default()).map(|e| e.batch).map_err(|e| e.to_string())
}

fn unzipped(folder: &str, file: &str) -> Option<Vec<u8>> {
    let path = super::folder(folder)?.join(file);
    let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().expect("gzip runs");
    assert!(output.status.success());
    Some(output.stdout)
}

/// Inputs of which Prometheus says whether they are errors.
fn verdicts(what: &str, file: &str, format: Format, known: &[(&str, &str)]) {
    let Some(cases) = super::json("textparse", file) else { return };
    let results = cases.as_array().expect("a list").iter().map(|case| {
        let input = case["input"].as_str().expect("`input`");
        let error = case["err"].as_str().expect("`err`");
        // The end of the data is an error to the parser's caller there, and success here.
        let should_parse = error.is_empty() || error == "EOF";
        let got = parse(format, input.as_bytes());
        let result = match (should_parse, got) {
            (true, Ok(_)) | (false, Err(_)) => Ok(()),
            (true, Err(e)) => Err(format!("refused: {e}")),
            (false, Ok(_)) => Err(format!("accepted, expected: {error}")),
        };
        (format!("{input:?}"), result)
    });
    super::report_known(what, results.collect(), known);
}

#[test]
fn prometheus_verdicts_on_text() {
    let bytes = "the file writes a byte that is no UTF-8 as U+FFFD, which is fine in a value";
    verdicts("textparse prom_errors", "prom_errors.json", Format::Text, &[(r#""a{b=\"�\"} 1\n""#, bytes)]);
}

#[test]
fn prometheus_verdicts_on_openmetrics() {
    let bytes = "the file writes a byte that is no UTF-8 as U+FFFD, which is fine in a value";
    verdicts(
        "textparse openmetrics_errors",
        "openmetrics_errors.json",
        Format::OpenMetrics,
        &[(r#""a{b=\"�\"} 1\n# EOF\n""#, bytes)],
    );
}

#[test]
fn openmetrics_specification() {
    let Some(folder) = super::folder("openmetrics") else { return };
    let mut results = Vec::new();
    let mut folders: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    folders.sort();
    for case in folders.iter().filter(|path| path.is_dir()) {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let body = std::fs::read(case.join("metrics")).expect("`metrics`");
        let verdict: Json =
            serde_json::from_slice(&std::fs::read(case.join("test.json")).expect("`test.json`")).expect("JSON");
        let should_parse = verdict["shouldParse"].as_bool().expect("`shouldParse`");
        let result = match (should_parse, check_openmetrics(&body)) {
            (true, Ok(())) | (false, Err(_)) => Ok(()),
            (true, Err(e)) => Err(format!("refused: {e}")),
            (false, Ok(())) => Err("accepted".to_owned()),
        };
        results.push((name.clone(), result));
        if should_parse {
            results.push((format!("{name} (scrape)"), parse(Format::OpenMetrics, &body).map(|_| ())));
        }
    }
    super::report_known("openmetrics", results, &[]);
}

/// The label set of an entry, which the cases give in two forms and here counts in the plain one.
fn entry_labels(lset: &Json) -> Labels {
    let object = match lset["$call"].as_str() {
        Some("typeAndUnitLabels") => &lset["args"][2],
        Some(_) => &lset["args"][1],
        None => lset,
    };
    // Go constants stand by their names.
    let value = |v: &Json| match v.as_str().unwrap_or("").strip_prefix("@id:model.MetricType") {
        Some(kind) => kind.to_lowercase(),
        None => v.as_str().unwrap_or("").to_owned(),
    };
    Labels::from_pairs(object.as_object().expect("labels").iter().map(|(n, v)| (n.clone(), value(v))))
}

/// Writes each entry as the line it came from and reads it again.
fn entries(file: &str, format: Format) {
    let Some(cases) = super::json("textparse", file) else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    let mut head = String::new();
    for entry in cases["entries"].as_array().expect("`entries`") {
        let metric = entry["m"].as_str().unwrap_or("");
        if let Some(kind) = entry["typ"].as_str() {
            let kind = kind.trim_start_matches("@id:model.MetricType").to_lowercase();
            let kind = if kind == "unknown" && format == Format::Text { "untyped".to_owned() } else { kind };
            let name = if metric.contains('.') { format!("{metric:?}") } else { metric.to_owned() };
            head = format!("# TYPE {name} {kind}\n");
        }
        let Some(value) = entry["v"].as_f64() else { continue };
        let t = entry["t"].as_i64();
        let t_text = match (t, format) {
            (None, _) => String::new(),
            (Some(t), Format::Text) => format!(" {t}"),
            (Some(t), _) => format!(" {}", t as f64 / 1000.0),
        };
        let end = if format == Format::OpenMetrics { "# EOF\n" } else { "" };
        let text = format!("{head}{metric} {value}{t_text}\n{end}");
        let expected = (entry_labels(&entry["lset"]), value, t.unwrap_or(0));
        match parse(format, text.as_bytes()) {
            Ok(batch) if batch.samples.len() == 1 => {
                let sample = &batch.samples[0];
                let got_value = if let Value::Float(v) = sample.value { v } else { f64::NAN };
                let got = (sample.labels.clone(), got_value, sample.t);
                if got == expected {
                    passed += 1
                } else {
                    failed.push(format!("{text}: {got:?} instead of {expected:?}"))
                }
            }
            other => failed.push(format!("{text}: {other:?}")),
        }
    }
    super::report(file, passed, &failed);
}

#[test]
fn entries_of_text() {
    entries("entries_prom.json", Format::Text);
    entries("entries_prom_utf8.json", Format::Text);
}

#[test]
fn entries_of_openmetrics() {
    entries("entries_om.json", Format::OpenMetrics);
}

#[test]
fn whole_input_with_quoted_names() {
    let Some(case) = super::json("textparse", "entries_prom_utf8.json") else { return };
    let batch = parse(Format::Text, case["input"].as_str().expect("`input`").as_bytes()).expect("it parses");
    let entries = case["entries"].as_array().expect("`entries`");
    let expected: Vec<Labels> =
        entries.iter().filter(|e| e.get("lset").is_some()).map(|e| entry_labels(&e["lset"])).collect();
    let got: Vec<Labels> = batch.samples.iter().map(|s| s.labels.clone()).collect();
    assert_eq!(got, expected);
    assert_eq!(batch.metadata[0].name, "go.gc_duration_seconds");
    assert_eq!(batch.metadata[0].help, "A summary of the GC invocation durations.");
}

#[test]
fn large_expositions() {
    let Some(folder) = super::folder("textparse") else { return };
    for (file, format, samples) in [
        ("alltypes.237mfs.prom.txt", Format::Text, 1000),
        ("alltypes.237mfs.nometa.prom.txt", Format::Text, 1000),
        ("alltypes.5mfs.om.txt", Format::OpenMetrics, 40),
        ("1histogram.om.txt", Format::OpenMetrics, 20),
    ] {
        let body = std::fs::read(folder.join(file)).expect("the file");
        let batch = parse(format, &body).unwrap_or_else(|e| panic!("{file}: {e}"));
        let lines = body.split(|b| *b == b'\n').filter(|l| !l.is_empty() && l[0] != b'#').count();
        assert_eq!(batch.samples.len(), lines, "{file}");
        assert!(lines >= samples, "{file}: {lines}");
    }
}

#[test]
fn client_expositions() {
    let Some(text) = unzipped("expfmt", "text.gz") else { return };
    let Some(protobuf) = unzipped("expfmt", "protobuf.gz") else { return };
    let multi =
        std::fs::read(super::folder("expfmt").expect("the folder").join("protobuf-multimessage")).expect("the file");
    for (format, body) in [(Format::Text, text), (Format::Protobuf, protobuf), (Format::Protobuf, multi)] {
        let batch = parse(format, &body).unwrap_or_else(|e| panic!("{format:?}: {e}"));
        println!("expfmt {format:?}: {} samples of {} families", batch.samples.len(), batch.metadata.len());
        assert!(!batch.samples.is_empty());
    }
}

#[test]
fn what_real_exporters_show() {
    let Some(folder) = super::folder("exporter-golden") else { return };
    for file in [
        "node.txt",
        "redis.txt",
        "kafka_3brokers.txt",
        "mysqld.txt",
        "blackbox_http_200.txt",
        "cadvisor_docker_cgroup1.txt",
    ] {
        let body = std::fs::read(folder.join(file)).expect("the file");
        let batch = parse(Format::Text, &body).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(batch.samples.len() > 10, "{file}");
    }
}
