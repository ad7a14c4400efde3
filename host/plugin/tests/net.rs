//! Connections, names, pings and system calls, against real servers on the loopback.

mod common;

use common::{Lab, ask, call_at, spec, told};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use watchglass_plugin::{CollectorSpec, FailureReason, Secret, Secrets};

/// Answers each line with itself in capitals.
async fn shouter() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("its address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if write.write_all(format!("{}\n", line.to_uppercase()).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_is_reached_and_nothing_else() {
    let lab = Lab::new();
    let tcp = shouter().await;
    let port = tcp.rsplit(':').next().unwrap_or("").to_owned();
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let udp_address = udp.local_addr().expect("its address").to_string();
    tokio::spawn(async move {
        let mut buffer = [0; 100];
        while let Ok((n, from)) = udp.recv_from(&mut buffer).await {
            let _ = udp.send_to(&buffer[..n].to_ascii_uppercase(), from).await;
        }
    });
    let path = lab.dir.path().join("socket");
    let unix = UnixListener::bind(&path).expect("a socket");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = unix.accept().await {
            let mut buffer = [0; 100];
            let n = stream.read(&mut buffer).await.unwrap_or(0);
            let _ = stream.write_all(&buffer[..n].to_ascii_uppercase()).await;
        }
    });
    let path = path.display().to_string();
    std::os::unix::fs::symlink(&path, lab.dir.path().join("other")).expect("a link");
    let other = lab.dir.path().join("other").display().to_string();
    let grants = [
        format!("tcp:localhost:{port}"),
        format!("udp:{udp_address}"),
        format!("unix:{path}"),
        "dns:localhost".into(),
        "icmp:127.0.0.1".into(),
        "secret:known".into(),
        "secret:absent".into(),
        "system:uname".into(),
    ];
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let mut spec = spec(&grants);
    spec.secrets = Secrets(
        [("known".to_owned(), Secret::Value("s3cret".into())), ("shut".to_owned(), Secret::Value("x".into()))].into(),
    );
    let Some(collector) = lab.collector_of("good", spec).await else { return };
    for (what, expected) in [
        (format!("tcp localhost:{port}"), "ok HELLO".to_owned()),
        (format!("tcp 127.0.0.1:{port}"), format!("no grant \\\"tcp:127.0.0.1:{port}\\\"")),
        ("tcp localhost:1".into(), "no grant \\\"tcp:localhost:1\\\"".into()),
        (format!("udp {udp_address}"), "ok HELLO".into()),
        ("udp 127.0.0.1:9".into(), "no grant \\\"udp:127.0.0.1:9\\\"".into()),
        (format!("unix {path}"), "ok HELLO".into()),
        (format!("unix {other}"), "ok HELLO".into()),
        ("unix /run/docker.sock".into(), "no grant \\\"unix:".into()),
        ("resolve localhost".into(), "127.0.0.1".into()),
        ("resolve example.com".into(), "no grant \\\"dns:example.com\\\"".into()),
        ("ping 127.0.0.2".into(), "no grant \\\"icmp:127.0.0.2\\\"".into()),
        ("secret known".into(), "ok s3cret".into()),
        ("secret shut".into(), "no grant \\\"secret:shut\\\"".into()),
        ("secret absent".into(), "Error::NotFound(".into()),
        ("system uname".into(), "ok Linux".into()),
    ] {
        let told = ask(&collector, &what).await;
        assert!(told.contains(&expected), "{what}: {told}");
    }
    for name in [
        "clock-adjustment",
        "constants",
        "time-zone",
        "network-links",
        "network-addresses",
        "network-routes",
        "network-neighbours",
        "network-queues",
        "ethtool-driver",
        "ethtool-stats",
        "ethtool-link",
        "wifi-interfaces",
        "wifi-stations",
        "btrfs",
    ] {
        let told = ask(&collector, &format!("system {name}")).await;
        assert!(told.contains(&format!("no grant \\\"system:{name}\\\"")), "{name}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_brings_its_own_grant_for_its_own_call() {
    let lab = Lab::new();
    let address = shouter().await;
    let Some(collector) = lab.collector("good", &[]).await else { return };
    let what = format!("tcp {address}");
    assert_eq!(told(&collector.collect(call_at(&address, &what)).await), "ok HELLO");
    let elsewhere = collector.collect(call_at("127.0.0.1:1", &what)).await;
    assert!(told(&elsewhere).contains("no grant") && elsewhere.stats.denied == 1, "{elsewhere:?}");
    // A plugin that does not want the kind is not granted it by its target either.
    let Some(none) = lab.collector("nowants", &[]).await else { return };
    assert!(told(&none.collect(call_at(&address, &what)).await).contains("no grant"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lives_between_calls() {
    let lab = Lab::new();
    let address = shouter().await;
    let grant = format!("tcp:{address}");
    let Some(collector) = lab.collector("good", &[&grant]).await else { return };
    assert_eq!(ask(&collector, &format!("keep {address}")).await, "kept");
    assert_eq!(ask(&collector, "again").await, "ok AGAIN");
    assert_eq!(ask(&collector, "again").await, "ok AGAIN");
    let many = ask(&collector, &format!("many-connections {address}")).await;
    assert!(many.starts_with("63 Error::TooLarge("), "{many}");
    assert_eq!(ask(&collector, "again").await, "ok AGAIN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_an_error() {
    let lab = Lab::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let Some(collector) = lab.collector("good", &["tcp:*", "icmp:*", "system:*", "dns:*"]).await else { return };
    let refused = ask(&collector, &format!("tcp {address}")).await;
    assert!(refused.starts_with("Error::Unavailable(") && refused.contains("connection refused"), "{refused}");
    let unknown = ask(&collector, "resolve name.invalid").await;
    assert!(unknown.starts_with("Error::NotFound(") || unknown.starts_with("Error::Unavailable("), "{unknown}");
    for metadata in ["tcp 169.254.169.254:80", "ping fe80::1", "tcp [fd00:ec2::254]:80"] {
        assert!(ask(&collector, metadata).await.contains("no grant"), "{metadata}");
    }
    // As the machine allows: an answer, or that it is forbidden.
    let ping = ask(&collector, "ping 127.0.0.1").await;
    assert!(ping == "ok 127.0.0.1 56" || ping.starts_with("Error::Forbidden("), "{ping}");
    for (name, expected) in [
        ("uname", "ok Linux"),
        ("constants", "ok 4096 100 true"),
        ("time-zone", "ok true"),
        ("network-addresses", "lo=127.0.0.1/8"),
        ("network-links", "lo:true"),
        ("network-routes", "ok "),
        ("network-neighbours", "ok "),
        ("network-queues", "lo:noqueue"),
        ("wifi-stations", "Error::"),
        ("btrfs", ""),
    ] {
        let told = ask(&collector, &format!("system {name}")).await;
        assert!(told.contains(expected), "{name}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_that_comes_back_is_named_so() {
    let lab = Lab::new();
    let Some(collector) = lab.collector_of("good", CollectorSpec { ..spec(&[]) }).await else { return };
    let report = collector.collect(call_at("x", "keep 127.0.0.1:1")).await;
    assert!(report.outcome.is_err_and(|f| f.reason == FailureReason::Denied && f.message.contains("tcp:127.0.0.1:1")));
}
