//! TLS, against a real server with a certificate of a test authority (tests/tls; good for a hundred years, its key thrown away).

mod common;

use std::sync::Arc;

use common::{Lab, ask, spec};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use watchglass_plugin::{Secret, Secrets};

const CA: &str = include_str!("tls/ca.pem");
const CHAIN: &str = include_str!("tls/server.pem");
const KEY: &str = include_str!("tls/server.key");

fn acceptor() -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(CHAIN.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = builder.with_no_client_auth().with_single_cert(chain, key).expect("a configuration");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, starttls: bool) -> std::io::Result<()> {
    if starttls {
        let mut line = [0; 9];
        stream.read_exact(&mut line).await?;
        stream.write_all(b"OK\n").await?;
    }
    let mut stream = acceptor.accept(stream).await?;
    let mut buffer = [0; 1000];
    let n = stream.read(&mut buffer).await?;
    if buffer.starts_with(b"GET ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nm 1\n").await?;
    } else {
        stream.write_all(&buffer[..n].to_ascii_uppercase()).await?;
    }
    stream.shutdown().await
}

async fn server(starttls: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, acceptor(), starttls));
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_verified() {
    let lab = Lab::new();
    let (port, later) = (server(false).await, server(true).await);
    let mut spec = spec(&["tcp:*", "http:*", "secret:ca", "secret:bad"]);
    let secret = |text: &str| Secret::Value(text.to_owned());
    spec.secrets = Secrets(
        [("ca", secret(CA)), ("bad", secret("no pem")), ("shut", secret(CA))].map(|(n, s)| (n.to_owned(), s)).into(),
    );
    let Some(collector) = lab.collector_of("good", spec).await else { return };
    for (what, expected) in [
        (format!("tls localhost:{port} - ca"), "ok HELLO TLS 1.3 verified=true chain=1"),
        (format!("tls 127.0.0.1:{port} - ca"), "ok HELLO TLS 1.3 verified=true chain=1"),
        (format!("tls localhost:{port} - insecure"), "ok HELLO TLS 1.3 verified=false chain=1"),
        (format!("tls localhost:{port}"), "certificate is signed by an unknown authority"),
        (format!("tls localhost:{port} other.example ca"), "certificate is for another name"),
        (format!("tls localhost:{port} - bad"), "Error::BadConfig("),
        (format!("tls localhost:{port} - shut"), "no grant \\\"secret:shut\\\""),
        (format!("starttls localhost:{later} - ca"), "ok OK\n HELLO TLS 1.3 verified=true chain=1"),
        (format!("starttls localhost:{later}"), "certificate is signed by an unknown authority"),
        (format!("http https://localhost:{port}/ ca=ca"), "ok 200 [200 HTTP/1.1] m 1\n"),
        (format!("http https://localhost:{port}/"), "certificate is signed by an unknown authority"),
        (format!("http http://localhost:{port}/"), "Error::"),
    ] {
        let told = ask(&collector, &what).await;
        assert!(told.contains(expected), "{what}: {told}");
    }
}
