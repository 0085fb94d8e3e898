//! `reckoner serve`: an installation on the machine's clock.

use crate::context::{Admin, Context as ContextFile};
use crate::http::Bound;
use crate::install::Place;
use crate::tls;
use axum::Router;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where to listen, and with which certificate.
#[derive(Args, Clone)]
pub(crate) struct Listen {
    /// Address of HTTPS; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// Address of plain HTTP, on loopback only.
    #[arg(long)]
    pub(crate) listen_http: Option<SocketAddr>,
    /// Certificate chain (PEM); one is made at the first start if not given.
    #[arg(long, requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[arg(long, requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A host under which clients reach the server; as often as there are names. The certificate
    /// that is made names it, and tokens may be for it.
    #[arg(long = "name", value_name = "HOST")]
    pub(crate) names: Vec<String>,
    /// Write where and how the server is reached to this file, when it is ready.
    #[arg(long)]
    pub(crate) context: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    listen: Listen,
    /// Another address of ours that tokens may be for.
    #[arg(long)]
    audience: Vec<String>,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let issuers = self.place.issuers()?;
        let wire = self.place.wire()?.named(&self.listen.names)?;
        let couriers = self.place.couriers()?;
        let reckoner = self.place.open().await?;
        reckoner.trust_issuers(issuers)?;
        let bound = Bound::new(self.listen.listen, self.listen.listen_http, (wire, couriers))?;
        let given = self.listen.tls_certificate.as_deref().zip(self.listen.tls_key.as_deref());
        let asked = tls::Asked {
            directory: &self.place.data,
            listen: self.listen.listen,
            names: bound.names(),
            given,
        };
        let certificate = tls::certificate(asked).await?;
        let (base_url, http_url) = (bound.https_url()?, bound.http_url()?);
        let named = bound.named_urls()?;
        for audience in self.audience.iter().chain([&base_url]).chain(&http_url).chain(&named) {
            reckoner.add_audience(audience);
        }
        let context = ContextFile {
            base_url: base_url.clone(),
            http_url,
            ca_file: std::path::absolute(&certificate.authority)?.display().to_string(),
            tenant_id: reckoner.tenant("common").ok().map(|tenant| tenant.to_string()),
            now: reckoner.now().to_string(),
            admin: Admin { url: format!("{base_url}/admin/v1") },
            ..ContextFile::default()
        };
        let preparing = reckoner.clone();
        let ready = || {
            if let Some(path) = &self.listen.context {
                context.write(path)?;
            }
            eprintln!("listening on {base_url}");
            // Whoever does not answer holds nothing up: its tokens are refused until it does.
            tokio::spawn(async move { preparing.prepare_issuers().await });
            Ok(())
        };
        bound.serve(reckoner, certificate, Router::new(), ready).await
    }
}
