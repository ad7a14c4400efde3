//! The command line as it is found: what a person types first answers.

use std::process::Command;

fn output(args: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_watchglass")).args(args).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code(), text)
}

#[test]
fn help_names_every_command() {
    let (code, text) = output(&["--help"]);
    assert_eq!(code, Some(0), "{text}");
    for command in ["run", "check", "query", "explain", "test", "plugin"] {
        assert!(text.contains(&format!("  {command} ")), "no `{command}` in:\n{text}");
    }
    assert!(!text.contains("compile-plugin"), "that one is the daemon's own");
}

#[test]
fn a_script_of_prometheus_is_run_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("a.test");
    std::fs::write(&script, "load 1m\n  m 1 2 3\n\neval instant at 2m m\n  m 3\n\neval instant at 2m m\n  m 4\n")
        .unwrap();
    let (code, text) = output(&["test", "promql", script.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.ends_with("1 passed, 1 failed\n\n") || text.contains("\n1 passed, 1 failed\n"), "{text}");
    assert!(text.contains("a.test:7"), "the failed eval with its line: {text}");
}

#[test]
fn a_daemon_that_does_not_answer_is_named() {
    let (code, text) = output(&["query", "up", "--url", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("http://127.0.0.1:1") && text.contains("hint:"), "{text}");
}
