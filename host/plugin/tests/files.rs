//! Files: what is granted is read, and nothing else, however the path is written.

mod common;

use common::{Lab, ask, call, spec};
use std::os::unix::fs::symlink;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leads_out_of_what_is_granted() {
    let lab = Lab::new();
    let dir = lab.dir.path().to_owned();
    let (open, shut) = (dir.join("open"), dir.join("shut"));
    for folder in [&open, &shut] {
        std::fs::create_dir(folder).expect("a folder");
        std::fs::write(folder.join("file"), "content").expect("a file");
    }
    symlink(&shut, open.join("out")).expect("a link");
    symlink(shut.join("file"), open.join("out-file")).expect("a link");
    symlink(open.join("file"), shut.join("in-file")).expect("a link");
    symlink("file", open.join("beside")).expect("a link");
    symlink("loop", open.join("loop")).expect("a link");
    let text = |p: &std::path::Path| p.display().to_string();
    let (open, shut) = (text(&open), text(&shut));
    let Some(collector) =
        lab.collector("good", &[&format!("files:{open}"), "files:/proc", "files:/sys/class/net"]).await
    else {
        return;
    };
    let denied = "Error::Denied(";
    for (what, expected) in [
        (format!("read {open}/file"), "ok content"),
        (format!("read {open}/beside"), "ok content"),
        (format!("read {open}/../open/file"), "ok content"),
        (format!("read {open}//./file"), "ok content"),
        // Where a path leads counts, not how it is written.
        (format!("read {shut}/in-file"), "ok content"),
        (format!("read {shut}/file"), denied),
        (format!("read {open}/out/file"), denied),
        (format!("read {open}/out-file"), denied),
        (format!("read {open}/../shut/file"), denied),
        (format!("read {open}/loop"), "Error::Other("),
        (format!("read {open}/absent"), "Error::NotFound("),
        // Whether something is there is not told of what is not granted.
        (format!("read {shut}/absent"), denied),
        (format!("read {open}"), "Error::Other("),
        ("read relative".into(), "Error::Other("),
        ("read /etc/passwd".into(), denied),
        ("read /proc/self/root/etc/passwd".into(), denied),
        ("read /proc/self/environ".into(), denied),
        ("read /proc/thread-self/environ".into(), denied),
        ("read /proc/self/task/../environ".into(), denied),
        ("read /proc/net/../self/environ".into(), denied),
        ("read /proc/1/mem".into(), denied),
        ("read /proc/kcore".into(), denied),
        ("read /proc/self/fd/0".into(), denied),
        ("read /proc/self/cmdline".into(), denied),
        ("read /proc/stat".into(), "ok cpu"),
        ("read /proc/self/stat".into(), "ok "),
        ("read /proc/net/dev".into(), "ok Inter-"),
        ("read /proc/mounts".into(), "ok "),
        ("read-small /proc/stat".into(), "Error::TooLarge("),
        (format!("read-many {open}/file {shut}/file {open}/absent"), "ok 7 | Error::Denied("),
        (format!("list {open}"), "ok beside:EntryKind::Link,file:EntryKind::File,"),
        (format!("list {shut}"), denied),
        (format!("list {open}/out"), denied),
        (format!("list {open}/file"), "Error::Other("),
        (format!("link {open}/out"), format!("ok {shut}").as_str()),
        (format!("link {open}/file"), "Error::Other("),
        (format!("link {shut}/in-file"), denied),
        (format!("stat {open}/file"), "ok EntryKind::File 7"),
        (format!("stat {open}/out-file"), denied),
        (format!("usage {open}"), "ok true true"),
        (format!("usage {shut}"), denied),
        (format!("tree {open}"), "ok 6 true"),
        (format!("tree {shut}"), denied),
        ("stat /sys/class/net/lo/mtu".into(), denied),
    ] {
        let told = ask(&collector, &what).await;
        assert!(told.starts_with(expected), "{what}: {told}");
    }
    let denials = collector.collect(call(&format!("read-many {shut}/file {shut}/file"))).await.stats.denied;
    assert_eq!(denials, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sysfs_links_are_followed_within_it() {
    let lab = Lab::new();
    let Some(collector) = lab.collector("good", &["files:/sys", "system:disk-usage", "files:/proc/*/environ"]).await
    else {
        return;
    };
    assert!(ask(&collector, "read /sys/class/net/lo/mtu").await.starts_with("ok 6"));
    assert!(ask(&collector, "list /sys/class/net/lo").await.contains("mtu:EntryKind::File"));
    assert_eq!(ask(&collector, "usage /").await, "ok true true");
    assert!(ask(&collector, "read /proc/self/environ").await.starts_with("ok "), "a grant that names it");
    assert!(ask(&collector, "read /proc/self/stat").await.starts_with("Error::Denied("));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_is_not_read() {
    let lab = Lab::new();
    let dir = lab.dir.path().to_owned();
    let pipe = dir.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a pipe");
    std::fs::write(dir.join("junk"), [0xff, b'a', 0xc3]).expect("a file");
    let grant = format!("files:{}", dir.display());
    let Some(collector) = lab.collector_of("good", spec(&[&grant, "files:/dev"])).await else { return };
    assert!(ask(&collector, &format!("read {}", pipe.display())).await.starts_with("Error::Unsupported("));
    assert!(ask(&collector, "read /dev/null").await.starts_with("Error::Unsupported("));
    assert_eq!(ask(&collector, &format!("read {}/junk", dir.display())).await, "ok \u{fffd}a\u{fffd}");
}
