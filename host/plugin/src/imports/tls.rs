//! TLS.

/// TLS with the machine's certificates.
#[derive(Debug, Default)]
pub(crate) struct Tls;
