//! HTTPS with a given certificate, or one that is made at the first start.

use anyhow::{Context, bail};
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A certificate that clients can check, and where its authority's certificate is.
pub(crate) struct Certificate {
    pub(crate) rustls: RustlsConfig,
    /// What clients must trust.
    pub(crate) authority: PathBuf,
}

/// What a certificate is to be for.
pub(crate) struct Asked<'a> {
    /// The data directory.
    pub(crate) directory: &'a Path,
    /// Where the server listens.
    pub(crate) listen: SocketAddr,
    /// Hosts under which clients reach it.
    pub(crate) names: &'a [String],
    /// Certificate chain and key that were given.
    pub(crate) given: Option<(&'a Path, &'a Path)>,
}

impl Asked<'_> {
    /// Everything that a certificate of ours has to name.
    fn all_names(&self) -> BTreeSet<String> {
        let mut names = usual_names();
        if !self.listen.ip().is_unspecified() {
            names.insert(self.listen.ip().to_string());
        }
        names.extend(self.names.iter().map(|name| name.to_ascii_lowercase()));
        names
    }
}

/// What every certificate of ours names.
fn usual_names() -> BTreeSet<String> {
    ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into()
}

/// Certificate and key that were given, else those of the data directory: made if they are missing,
/// and made again if they do not name everything that is asked for.
pub(crate) async fn certificate(asked: Asked<'_>) -> anyhow::Result<Certificate> {
    if let Some((chain, key)) = asked.given {
        let rustls = RustlsConfig::from_pem_file(chain, key).await;
        let rustls =
            rustls.with_context(|| format!("read {} and {}", chain.display(), key.display()))?;
        return Ok(Certificate { rustls, authority: chain.to_owned() });
    }
    let files = Files::in_directory(&asked.directory.join("tls"));
    let wanted = asked.all_names();
    let kept = files.names(&asked);
    if !kept.as_ref().is_some_and(|kept| wanted.is_subset(kept)) {
        if kept.is_some() {
            let authority = files.authority.display();
            tracing::warn!(%authority, "the certificate lacks a name and is made again; clients \
                have to trust its new authority");
        }
        files.make(&wanted).context("make a certificate")?;
    }
    let read = RustlsConfig::from_pem_file(&files.chain, &files.key).await;
    Ok(Certificate { rustls: read.context("read the certificate")?, authority: files.authority })
}

/// A certificate of ours on disk.
struct Files {
    directory: PathBuf,
    authority: PathBuf,
    chain: PathBuf,
    key: PathBuf,
    /// What it names, a line each.
    names: PathBuf,
}

impl Files {
    fn in_directory(directory: &Path) -> Files {
        let at = |name| directory.join(name);
        Files {
            directory: directory.to_owned(),
            authority: at("ca.pem"),
            chain: at("server.pem"),
            key: at("server.key"),
            names: at("names"),
        }
    }

    /// What the certificate names; nothing if there is none.
    fn names(&self, asked: &Asked<'_>) -> Option<BTreeSet<String>> {
        if !(self.authority.exists() && self.chain.exists() && self.key.exists()) {
            return None;
        }
        match fs::read_to_string(&self.names) {
            Ok(text) => Some(text.lines().map(str::to_owned).collect()),
            // Made before names were kept: for the address listened on, as far as anybody knows.
            Err(_) => Some(Asked { names: &[], ..*asked }.all_names()),
        }
    }

    /// Makes authority and certificate; the authority is written last, so that a crash leaves none.
    fn make(&self, names: &BTreeSet<String>) -> anyhow::Result<()> {
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("make {}", self.directory.display()))?;
        match fs::remove_file(&self.authority) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let Made { key, chain, authority } = make(names)?;
        write_secret(&self.key, &key)?;
        fs::write(&self.chain, chain)?;
        fs::write(&self.names, names.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        fs::write(&self.authority, authority)?;
        Ok(())
    }
}

/// A key, its certificate and the authority that signed it, as PEM.
struct Made {
    key: String,
    chain: String,
    authority: String,
}

fn make(names: &BTreeSet<String>) -> anyhow::Result<Made> {
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
    let mut server = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    server.distinguished_name = named("Reckoner");
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuer = Issuer::new(ca, ca_key);
    let certificate = server.signed_by(&server_key, &issuer)?;

    Ok(Made {
        key: server_key.serialize_pem(),
        chain: format!("{}{}", certificate.pem(), ca_certificate.pem()),
        authority: ca_certificate.pem(),
    })
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
