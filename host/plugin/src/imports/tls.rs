//! TLS, and what is told of it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::basic::read_secret;
use super::errors::Error;
use crate::bindings::wit::net::{Certificate, TlsInfo, TlsOptions};
use crate::cache::sha256_hex;
use crate::grant::bare_host;
use crate::state::State;

/// A stream of bytes in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Certificates of a chain that are told of.
const MAX_CHAIN: usize = 20;

/// Names of a certificate that are told of.
const MAX_NAMES: usize = 1_000;

/// TLS with the machine's certificates, which are read when they are first needed.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    machine: OnceLock<Arc<Roots>>,
}

/// Trusted certificates.
#[derive(Debug)]
struct Roots {
    store: Arc<RootCertStore>,
    /// When each ends, milliseconds, by its subject.
    ends: HashMap<Vec<u8>, i64>,
}

impl Roots {
    fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Roots {
        let (mut store, mut ends) = (RootCertStore::empty(), HashMap::new());
        for der in certificates {
            if let Ok((_, parsed)) = X509Certificate::from_der(&der) {
                let until = parsed.validity().not_after.timestamp().saturating_mul(1000);
                let end = ends.entry(parsed.subject().as_raw().to_vec()).or_insert(until);
                *end = until.max(*end);
            }
            // One that can't be read is of no use, and the others still are.
            let _ = store.add(der);
        }
        Roots { store: Arc::new(store), ends }
    }
}

impl Tls {
    async fn machine(self: &Arc<Self>) -> Result<Arc<Roots>, Error> {
        if let Some(roots) = self.machine.get() {
            return Ok(roots.clone());
        }
        let tls = self.clone();
        let read = move || {
            tls.machine.get_or_init(|| Arc::new(Roots::new(rustls_native_certs::load_native_certs().certs))).clone()
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|e| Error::Other(format!("reading the machine's certificates: {e}")))
    }
}

/// Everything that a handshake needs, ready before the connection is made.
pub(super) struct Prepared {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    verify: bool,
    roots: Arc<Roots>,
}

impl State {
    /// Reads certificates and keys, and makes the configuration. `alpn` is what is offered where the options name nothing.
    pub(super) async fn prepare_tls(
        &mut self,
        options: &TlsOptions,
        host: &str,
        alpn: &[&str],
    ) -> Result<Prepared, Error> {
        for secret in [&options.ca, &options.client_identity, &options.client_key].into_iter().flatten() {
            self.allow(|g| g.secret(secret))?;
        }
        let roots = match &options.ca {
            None => self.shared.tls.clone().machine().await?,
            Some(secret) => {
                let pem = read_secret(self.shared.clone(), secret).await?;
                let certificates =
                    certificates(&pem).map_err(|e| Error::BadConfig(format!("secret \"{secret}\": {e}")))?;
                Arc::new(Roots::new(certificates))
            }
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(options)?)
            .map_err(|e| Error::BadConfig(format!("tls: {e}")))?;
        let builder = if options.verify {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots.store.clone(), provider)
                .build()
                .map_err(|e| Error::BadConfig(format!("tls: no trusted certificates: {e}")))?;
            builder.with_webpki_verifier(verifier)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new(&provider)))
        };
        let mut config = match &options.client_identity {
            None => builder.with_no_client_auth(),
            Some(secret) => {
                let pem = read_secret(self.shared.clone(), secret).await?;
                let wrong = |e: String| Error::BadConfig(format!("secret \"{secret}\": {e}"));
                let chain = certificates(&pem).map_err(wrong)?;
                let (holder, key) = match &options.client_key {
                    Some(own) => (own, read_secret(self.shared.clone(), own).await?),
                    None => (secret, pem),
                };
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|e| Error::BadConfig(format!("secret \"{holder}\": no private key: {e}")))?;
                builder.with_client_auth_cert(chain, key).map_err(|e| wrong(e.to_string()))?
            }
        };
        config.alpn_protocols = if options.alpn.is_empty() {
            alpn.iter().map(|p| p.as_bytes().to_vec()).collect()
        } else {
            options.alpn.iter().map(|p| p.as_bytes().to_vec()).collect()
        };
        let name = options.server_name.as_deref().unwrap_or_else(|| bare_host(host));
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| Error::BadConfig(format!("tls: server name \"{name}\" is no name")))?;
        Ok(Prepared { config: Arc::new(config), name, verify: options.verify, roots })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match all {
        Ok(list) if list.is_empty() => Err("no certificates in PEM form".into()),
        Ok(list) => Ok(list),
        Err(e) => Err(e.to_string()),
    }
}

fn versions(options: &TlsOptions) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let number = |text: &Option<String>, usual: u8| match text.as_deref() {
        None => Ok(usual),
        Some("1.2") => Ok(2),
        Some("1.3") => Ok(3),
        Some(other) => Err(Error::Unsupported(format!("tls version \"{other}\": 1.2 and 1.3 are known"))),
    };
    let (min, max) = (number(&options.min_version, 2)?, number(&options.max_version, 3)?);
    let known = [(2, &rustls::version::TLS12), (3, &rustls::version::TLS13)];
    let list: Vec<_> = known.into_iter().filter(|(n, _)| (min..=max).contains(n)).map(|(_, v)| v).collect();
    if list.is_empty() {
        return Err(Error::BadConfig("tls: the least version is above the greatest".into()));
    }
    Ok(list)
}

/// Shakes hands.
pub(super) async fn handshake<S: Duplex>(prepared: &Prepared, stream: S) -> Result<(TlsStream<S>, TlsInfo), Error> {
    let connector = TlsConnector::from(prepared.config.clone());
    let stream = connector.connect(prepared.name.clone(), stream).await.map_err(failed)?;
    let info = info(prepared, &stream);
    Ok((stream, info))
}

/// A handshake's error: what rustls found, or what happened to the connection.
fn failed(error: std::io::Error) -> Error {
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(what)) => Error::Protocol(format!("tls: certificate {}", told(what))),
        Some(other) => Error::Protocol(format!("tls: {other}")),
        None => super::errors::of_io("tls", &error),
    }
}

fn told(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet".into(),
        CertificateError::UnknownIssuer => "is signed by an unknown authority".into(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is for another name: {error}")
        }
        other => format!("is not valid: {other}"),
    }
}

fn info<S>(prepared: &Prepared, stream: &TlsStream<S>) -> TlsInfo {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "",
    };
    let cipher = session.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or("");
    // rustls' own names of the suites of TLS 1.3 begin otherwise than IANA's.
    let cipher = cipher.replacen("TLS13_", "TLS_", 1);
    let sent = session.peer_certificates().unwrap_or(&[]);
    let chain = sent.iter().take(MAX_CHAIN).filter_map(|der| certificate(der)).collect();
    TlsInfo {
        version: version.into(),
        cipher,
        alpn: session.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned()),
        verified: prepared.verify,
        chain,
        verified_until: if prepared.verify { verified_until(sent, &prepared.roots) } else { None },
    }
}

fn certificate(der: &CertificateDer<'_>) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten();
    let sans = names.iter().flat_map(|n| &n.value.general_names).take(MAX_NAMES).filter_map(name).collect();
    let millis = |t: x509_parser::time::ASN1Time| t.timestamp().saturating_mul(1000);
    Some(Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        serial: format!("{:x}", parsed.serial),
        sans,
        not_before: millis(parsed.validity().not_before),
        not_after: millis(parsed.validity().not_after),
        sha256: sha256_hex(der),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::IpAddr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::IpAddr::from(v6).to_string()),
        },
        _ => None,
    }
}

/// When the chain ends that leads from the other side's certificate over those it sent to a trusted one: the earliest end of them all. The chain was
/// verified; this only walks it again by its names.
fn verified_until(sent: &[CertificateDer<'_>], roots: &Roots) -> Option<i64> {
    let parsed: Vec<X509Certificate<'_>> =
        sent.iter().take(MAX_CHAIN).filter_map(|der| X509Certificate::from_der(der).ok().map(|(_, p)| p)).collect();
    let end = |c: &X509Certificate<'_>| c.validity().not_after.timestamp().saturating_mul(1000);
    let mut at = parsed.first()?;
    let mut earliest = end(at);
    for _ in 0..parsed.len() {
        if let Some(root) = roots.ends.get(at.issuer().as_raw()) {
            return Some(earliest.min(*root));
        }
        at = parsed.iter().find(|c| c.subject().as_raw() == at.issuer().as_raw())?;
        earliest = earliest.min(end(at));
    }
    Some(earliest)
}

/// Takes any certificate; what was signed with it is checked all the same.
#[derive(Debug)]
struct Unverified {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Unverified {
    fn new(provider: &CryptoProvider) -> Unverified {
        Unverified { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
