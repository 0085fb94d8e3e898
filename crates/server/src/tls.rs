//! HTTPS with a given certificate, or one that is made at the first start.

use anyhow::{Context, bail};
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A certificate that clients can check, and where its authority's certificate is.
pub(crate) struct Certificate {
    pub(crate) rustls: RustlsConfig,
    /// What clients must trust.
    pub(crate) authority: PathBuf,
}

/// Certificate and key that were given, else those of the data directory, made if missing.
pub(crate) async fn certificate(
    directory: &Path,
    listen: SocketAddr,
    given: Option<(&Path, &Path)>,
) -> anyhow::Result<Certificate> {
    if let Some((chain, key)) = given {
        let rustls = RustlsConfig::from_pem_file(chain, key).await;
        let rustls =
            rustls.with_context(|| format!("read {} and {}", chain.display(), key.display()))?;
        return Ok(Certificate { rustls, authority: chain.to_owned() });
    }
    let tls = directory.join("tls");
    let (authority, chain, key) =
        (tls.join("ca.pem"), tls.join("server.pem"), tls.join("server.key"));
    if !(authority.exists() && chain.exists() && key.exists()) {
        fs::create_dir_all(&tls).with_context(|| format!("make {}", tls.display()))?;
        make(&authority, &chain, &key, listen).context("make a certificate")?;
    }
    let rustls = RustlsConfig::from_pem_file(&chain, &key).await.context("read the certificate")?;
    Ok(Certificate { rustls, authority })
}

fn make(authority: &Path, chain: &Path, key: &Path, listen: SocketAddr) -> anyhow::Result<()> {
    let named = |name: &str| {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        names
    };
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name = named("Reckoner's own authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;

    let server_key = KeyPair::generate()?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.ip().is_unspecified() && !names.contains(&listen.ip().to_string()) {
        names.push(listen.ip().to_string());
    }
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name = named("Reckoner");
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuer = Issuer::new(ca, ca_key);
    let certificate = server.signed_by(&server_key, &issuer)?;

    write_secret(key, &server_key.serialize_pem())?;
    fs::write(chain, format!("{}{}", certificate.pem(), ca_certificate.pem()))?;
    fs::write(authority, ca_certificate.pem())?;
    Ok(())
}

fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// Plain HTTP is for loopback only.
pub(crate) fn check_plain(listen: SocketAddr) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() {
        bail!("plain HTTP is served on loopback only; {listen} is not");
    }
    Ok(())
}
