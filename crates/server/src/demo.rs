//! `reckoner demo`: a company from a seed, served on its own business clock.

mod enterprise;
mod past;
mod transfers;
mod usage_api;

use crate::commands::request_id;
use crate::context::{
    Admin, ClientContext, Context as ContextFile, Intake, Offer, Periods, Subscriptions, Window,
};
use crate::http::Bound;
use crate::install::Place;
use crate::telling::say;
use crate::tls;
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use calendar::{OffsetClock, WallClock};
use clap::Args;
use domain::access::{Action, Caller};
use domain::closes::{Part, PartKind, Share};
use domain::ids::{BillingAccountId, PlaceId, PrincipalId};
use httpkit::{Asking, JsonBody, Refusal, RequestId};
use serde_json::{Value, json};
use service::{DocumentsAsked, KeyWanted, Reckoner, TokenAsked};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use transfers::Transfers;
use world::{Accounts, IntakePlace, World};

/// Seconds that the demo's tokens hold.
const TOKEN_SECONDS: u32 = 24 * 3_600;

/// What the demo's configuration is where its environment says nothing: receivers of callbacks may
/// be on this machine, which lets plain http go to them too.
const BENEATH: &str = r#"
[callbacks]
allowed_ranges = ["127.0.0.0/8", "::1/128"]
"#;

#[derive(Args)]
pub(crate) struct Demo {
    /// Address of HTTPS; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Write how to use the server to this file, when it is ready.
    #[arg(long)]
    context: Option<PathBuf>,
    /// Data directory; one that is thrown away if not given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Books in a shared PostgreSQL instead of SQLite.
    #[arg(long, env = "RECKONER_STORE", value_name = "postgres://…")]
    store: Option<String>,
    /// The same seed makes the same company.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Make the data directory and stop.
    #[arg(long, requires = "data")]
    exit: bool,
}

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let thrown_away = std::env::temp_dir().join(format!("reckoner-demo-{}", request_id()));
        let data = self.data.clone().unwrap_or_else(|| thrown_away.clone());
        let result = self.serve(data).await;
        if self.data.is_none() {
            // Nobody asked to keep it; what cannot be removed does not matter any more.
            let _ = std::fs::remove_dir_all(&thrown_away);
        }
        result
    }

    async fn serve(&self, data: PathBuf) -> anyhow::Result<()> {
        let world = World::demo(self.seed, service::entropy());
        let begins = world.past.first().map_or(world.now, |deed| deed.at);
        let clock = OffsetClock::starting_at(begins, Arc::new(WallClock));
        let (store, beneath) = (self.store.clone(), Some(BENEATH));
        let place = Place { data, store, config: None, beneath };
        let reckoner = place.open_with(Arc::new(clock.clone())).await?;
        eprintln!("making a company from seed {} …", self.seed);
        past::live(&reckoner, &world, &clock).await.context("make the demo's company")?;
        let transfers = transfers::asked(&reckoner, &world).await.context("ask for transfers")?;
        if self.exit {
            return Ok(reckoner.close().await?);
        }
        let http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bound = Bound::new(self.listen, http, (place.wire()?, place.couriers()?))?;
        let asked = tls::Asked {
            directory: &place.data,
            listen: self.listen,
            names: bound.names(),
            given: None,
        };
        let certificate = tls::certificate(asked).await?;
        let context = context(&reckoner, &world, &transfers, &bound, &certificate).await?;
        let receiver = usage_api::receiver(&reckoner);
        let ready = || {
            if let Some(path) = &self.context {
                context.write(path)?;
            }
            invite(&context, &world.intake)?;
            usage_api::invite(&context, receiver)?;
            Ok(())
        };
        let extra = moving(reckoner.clone(), clock);
        bound.serve(reckoner, certificate, extra, ready).await
    }
}

/// The operation that only a demo has: its operator can move the business clock forward.
fn moving(reckoner: Reckoner, clock: OffsetClock) -> Router {
    #[derive(serde::Deserialize)]
    struct Forward {
        seconds: i64,
    }
    async fn forward(
        State((reckoner, clock)): State<(Reckoner, OffsetClock)>,
        Asking(caller): Asking,
        request_id: RequestId,
        JsonBody(by): JsonBody<Forward>,
    ) -> Result<StatusCode, Refusal> {
        let request_id = request_id.to_string();
        reckoner.note_clock_move(&caller, by.seconds.max(0), &request_id).await?;
        clock.advance(by.seconds.saturating_mul(calendar::MICROS_PER_SECOND));
        Ok(StatusCode::NO_CONTENT)
    }
    Router::new().route("/admin/v1/demo/clock", post(forward)).with_state((reckoner, clock))
}

async fn context(
    reckoner: &Reckoner,
    world: &World,
    transfers: &Transfers,
    bound: &Bound,
    certificate: &tls::Certificate,
) -> anyhow::Result<ContextFile> {
    let (base_url, http_url) = (bound.https_url()?, bound.http_url()?);
    for url in std::iter::once(&base_url).chain(&http_url) {
        reckoner.add_audience(url);
    }
    let key = KeyWanted {
        name: None,
        principal: PrincipalId::new("demo")?,
        actions: vec![Action::SendUsage],
        billing_accounts: vec![world.intake.billing_account.clone()],
        places: Vec::new(),
        sources: vec![world.intake.source.clone()],
        allowed_ranges: Vec::new(),
        valid_from: None,
        lifetime_s: Some(TOKEN_SECONDS.into()),
        reason: "demo".to_owned(),
    };
    let key = reckoner.make_key(&Caller::Machine, key, &request_id()).await?;
    let window = |interval: &calendar::Interval| Window {
        from: interval.start().to_string(),
        to: interval.end().to_string(),
    };
    Ok(ContextFile {
        http_url,
        ca_file: std::path::absolute(&certificate.authority)?.display().to_string(),
        tenant_id: Some(world.tenant.to_string()),
        now: reckoner.now().to_string(),
        clients: clients(reckoner, world, &base_url)?,
        subscriptions: Some(Subscriptions {
            own: world.own.to_string(),
            foreign: world.foreign.to_string(),
        }),
        offer: Some(Offer {
            id: world.offer.id.to_string(),
            currency: world.offer.currency.to_string(),
            locale: world.offer.locale.clone(),
            region: world.offer.region.clone(),
        }),
        usage_window: Some(window(&world.usage_window)),
        usage_window_incomplete: Some(window(&world.usage_window_incomplete)),
        intake: Some(Intake { url: format!("{base_url}/intake/v1/events"), api_key: key.text }),
        enterprise: Some(enterprise::keys(reckoner, world).await?),
        usage_api: Some(usage_api::told(reckoner, world, &base_url).await?),
        accounts: Some(accounts(reckoner, world, transfers).await?),
        invoice_window: Some(Window {
            from: world.invoice_window.0.to_string(),
            to: world.invoice_window.1.to_string(),
        }),
        periods: Some(Periods {
            closed: world.closed.iter().map(|period| period.number().to_string()).collect(),
            open: world.open.number().to_string(),
        }),
        admin: Admin { url: format!("{base_url}/admin/v1") },
        base_url,
    })
}

/// The clients, each with a token.
fn clients(
    reckoner: &Reckoner,
    world: &World,
    base_url: &str,
) -> anyhow::Result<BTreeMap<String, ClientContext>> {
    let mut clients = BTreeMap::new();
    for client in &world.clients {
        let asked = TokenAsked {
            tenant: world.tenant.to_string(),
            client_id: client.id.to_string(),
            client_secret: String::new(),
            audience: "https://management.azure.com".to_owned(),
            base_url: base_url.to_owned(),
        };
        let token = reckoner.mint_token(&Caller::Machine, &asked, TOKEN_SECONDS)?.token;
        let entry = ClientContext {
            client_id: client.id.to_string(),
            client_secret: client.secret.clone(),
            token,
            email: client.email.clone(),
        };
        clients.insert(client.name.to_owned(), entry);
    }
    Ok(clients)
}

/// The number of the invoice that stands for a share of an account in the first closed month.
async fn invoice(
    reckoner: &Reckoner,
    world: &World,
    (account, share): (&BillingAccountId, Share),
) -> anyhow::Result<String> {
    let period = world.closed.first().copied();
    let id = Part { share, kind: PartKind::Own }
        .document(account, period.context("no month is closed")?)?;
    let asked = DocumentsAsked { billing_account: Some(account.clone()), period };
    let all = reckoner.documents(&Caller::Machine, &asked, u64::from(u16::MAX)).await?;
    let found = all.into_iter().find(|one| one.invoice.id == id);
    let found = found.with_context(|| format!("there is no invoice {id}"))?;
    Ok(found.number.to_string())
}

/// The accounts, by the kind of their agreement, with the transfers that they take part in.
async fn accounts(
    reckoner: &Reckoner,
    world: &World,
    transfers: &Transfers,
) -> anyhow::Result<Value> {
    let Accounts { mca, ea, mpa, mosp, foreign, foreign_enrollment: _, recipient } =
        &world.accounts;
    let invoice = |account, share| invoice(reckoner, world, (account, share));
    let profile = |id: &PlaceId| Share::Profile(id.to_string());
    let of_subscription = Share::Subscription(mosp.subscription.clone());
    Ok(json!({
        "mca": {
            "billing_account": mca.billing_account.as_str(),
            "billing_profile": mca.billing_profile.as_str(),
            "other_billing_profile": mca.other_billing_profile.as_str(),
            "invoice_section": mca.invoice_section.as_str(),
            "other_invoice_section": mca.other_invoice_section.as_str(),
            "subscription": mca.subscription.as_str(),
            "product": mca.product.as_str(),
            "invoice": invoice(&mca.billing_account, profile(&mca.billing_profile)).await?,
            "transfer": transfers.section.as_str(),
            "transfer_to_cancel": transfers.section_to_cancel.as_str(),
        },
        "ea": {
            "billing_account": ea.billing_account.as_str(),
            "department": ea.department.as_str(),
            "enrollment_account": ea.enrollment_account.as_str(),
            "subscription": ea.subscription.as_str(),
            "invoice": invoice(&ea.billing_account, Share::Account).await?,
        },
        "mpa": {
            "billing_account": mpa.billing_account.as_str(),
            "billing_profile": mpa.billing_profile.as_str(),
            "customer": mpa.customer.as_str(),
            "reseller": mpa.reseller.as_str(),
            "subscription": mpa.subscription.as_str(),
            "product": mpa.product.as_str(),
            "invoice": invoice(&mpa.billing_account, profile(&mpa.billing_profile)).await?,
            "transfer": transfers.customer.as_str(),
            "transfer_to_cancel": transfers.customer_to_cancel.as_str(),
        },
        "mosp": {
            "billing_account": mosp.billing_account.as_str(),
            "subscription": mosp.subscription.as_str(),
            "invoice": invoice(&mosp.billing_account, of_subscription).await?,
        },
        "foreign": { "billing_account": foreign.as_str() },
        "recipient": {
            "billing_account": recipient.billing_account.as_str(),
            "subscription": recipient.subscription.as_str(),
            "product": recipient.product.as_str(),
            "reservation": recipient.reservation.as_str(),
            "transfer": transfers.section.as_str(),
            "transfer_to_accept": transfers.section_to_accept.as_str(),
            "transfer_to_decline": transfers.customer_to_decline.as_str(),
        },
    }))
}

/// Commands to try.
fn invite(context: &ContextFile, place: &IntakePlace) -> std::io::Result<()> {
    let ContextFile {
        base_url, ca_file, clients, subscriptions, offer, usage_window, intake, ..
    } = context;
    let (Some(subscriptions), Some(offer), Some(window), Some(intake), Some(reader)) =
        (subscriptions, offer, usage_window, intake, clients.get("reader"))
    else {
        return Ok(());
    };
    let (own, token, key) = (&subscriptions.own, &reader.token, &intake.api_key);
    let provider = format!("{base_url}/subscriptions/{own}/providers/Microsoft.Commerce");
    let (from, to) = (&window.from, &window.to);
    let curl = format!("curl --cacert {ca_file}");
    say!("listening on {base_url}; business time is {}", context.now)?;
    say!("\n# usage of a subscription, as Azure Commerce")?;
    let version = "api-version=2015-06-01-preview";
    let window = format!("reportedStartTime={from}&reportedEndTime={to}");
    say!("{curl} -H 'Authorization: Bearer {token}' \\")?;
    say!("  '{provider}/UsageAggregates?{version}&{window}'")?;
    say!("\n# its rate card")?;
    let Offer { id, currency, locale, region } = offer;
    let parts = [
        ("OfferDurableId", id),
        ("Currency", currency),
        ("Locale", locale),
        ("RegionInfo", region),
    ];
    let parts = parts.map(|(name, value)| format!("{name}%20eq%20'{value}'"));
    say!("{curl} -H 'Authorization: Bearer {token}' \\")?;
    say!("  \"{provider}/RateCard?{version}&\\$filter={}\"", parts.join("%20and%20"))?;
    say!("\n# send a usage event; the answer says what became of it")?;
    let event = serde_json::json!({
        "id": "try-1",
        "source": place.source.to_string(),
        "time": context.now,
        "subscription": own,
        "meter": place.meter.to_string(),
        "quantity": "1.5",
    });
    say!("{curl} -H 'Authorization: Bearer {key}' -H 'Content-Type: application/x-ndjson' \\")?;
    say!("  --data-binary '{event}' \\")?;
    say!("  {}", intake.url)?;
    say!("\n# invoices of the closed months: paid, due, overdue, void")?;
    let operator = clients.get("operator").map_or("", |operator| operator.token.as_str());
    say!("{curl} -H 'Authorization: Bearer {operator}' '{}/invoices'", context.admin.url)
}
