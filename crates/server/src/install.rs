//! Opening an installation for a command: where it is, its clocks, its limits.

use crate::callbacks::{self, Callbacks, ResultCourier};
use crate::deliveries::{Courier, Mail};
use crate::wire::Wire;
use anyhow::{Context, bail};
use calendar::{BusinessClock, SystemClock, WallClock};
use clap::Args;
use domain::access::{Action, SecondPerson};
use domain::close_schedule::CloseSchedule;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use identity::ExternalIssuer;
use serde::Deserialize;
use service::{Clocks, Config, KeyLifetimes, Reckoner, Schedule};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest name of a data centre.
const DATA_CENTRE_BYTES: usize = 64;

/// Where an installation is.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// Data directory.
    #[arg(long, env = "RECKONER_DATA_DIR", default_value = "reckoner-data")]
    pub(crate) data: PathBuf,
    /// Books in a shared PostgreSQL instead of SQLite in the data directory.
    #[arg(long, env = "RECKONER_STORE", value_name = "postgres://…")]
    pub(crate) store: Option<String>,
    /// Configuration file.
    #[arg(long, env = "RECKONER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// What holds where neither the file nor the environment says anything.
    #[arg(skip)]
    pub(crate) beneath: Option<&'static str>,
}

/// The configuration file. Every key can be set as `RECKONER_LIMITS__KEY`, `RECKONER_HTTP__KEY`,
/// `RECKONER_CLOSE__KEY`, `RECKONER_KEYS__KEY`, `RECKONER_REPORTS__KEY`, `RECKONER_MAIL__KEY` or
/// `RECKONER_CALLBACKS__KEY` too; unknown keys are refused.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    buckets: Option<u16>,
    shards: Option<u16>,
    data_centre: Option<String>,
    second_person: Vec<String>,
    limits: Limits,
    issuers: Vec<IssuerEntry>,
    http: Wire,
    close: Close,
    keys: Keys,
    reports: Reports,
    mail: Mail,
    callbacks: Callbacks,
}

/// The part `reports` of the configuration: how fresh reports of open billing periods are.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Reports {
    refresh_seconds: Option<u64>,
}

/// The most minutes that a session may be left unused: it ends after a day in any case.
const SESSION_MINUTES_MOST: u32 = 1_440;

/// The part `keys` of the configuration: how long API keys hold.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    lifetime_days: Option<u32>,
    lifetime_days_most: Option<u32>,
    enterprise_lifetime_days: Option<u32>,
    session_minutes: Option<u32>,
}

impl Keys {
    fn over(self, usual: KeyLifetimes) -> anyhow::Result<KeyLifetimes> {
        let Keys { lifetime_days, lifetime_days_most, enterprise_lifetime_days, session_minutes } =
            self;
        let given = [lifetime_days, lifetime_days_most, enterprise_lifetime_days, session_minutes];
        if given.contains(&Some(0)) {
            bail!(
                "keys.session_minutes, keys.lifetime_days, keys.enterprise_lifetime_days and \
                 keys.lifetime_days_most: must be at least 1"
            );
        }
        if session_minutes.is_some_and(|minutes| minutes > SESSION_MINUTES_MOST) {
            bail!(
                "keys.session_minutes: must be at most {SESSION_MINUTES_MOST}: a session ends \
                 after a day, however much it is used"
            );
        }
        Ok(KeyLifetimes {
            days: lifetime_days.unwrap_or(usual.days),
            days_most: lifetime_days_most.or(usual.days_most),
            enterprise_days: enterprise_lifetime_days.unwrap_or(usual.enterprise_days),
            session_minutes: session_minutes.unwrap_or(usual.session_minutes),
        })
    }
}

/// The part `close` of the configuration: when billing periods are closed by themselves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Close {
    by_schedule: bool,
    day: Option<u8>,
    hour: Option<u8>,
    again_seconds: Option<u64>,
}

impl Default for Close {
    fn default() -> Close {
        Close { by_schedule: true, day: None, hour: None, again_seconds: None }
    }
}

impl Close {
    fn over(self, usual: Schedule) -> domain::Result<Option<Schedule>> {
        let Close { by_schedule, day, hour, again_seconds } = self;
        let (usual_day, usual_hour) = (usual.rule.day(), usual.rule.hour());
        let rule = CloseSchedule::new(day.unwrap_or(usual_day), hour.unwrap_or(usual_hour))?;
        let again_seconds = again_seconds.unwrap_or(usual.again_seconds);
        Ok(by_schedule.then_some(Schedule { rule, again_seconds }))
    }
}

/// An OpenID issuer whose tokens are taken.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerEntry {
    /// Stands before its principals: `corp/alice`.
    name: String,
    /// Exactly as in the `iss` claim.
    url: String,
    /// Whom its tokens must be for.
    audience: OneOrMany,
    /// The claim that names the principal.
    #[serde(default = "subject")]
    principal_claim: String,
    /// Where its keys are, if its discovery document shall not be asked.
    jwks_uri: Option<String>,
    /// The authorities of its certificate (PEM), from where the configuration file is.
    ca_file: Option<PathBuf>,
    /// It is not asked for keys more often.
    ask_every_seconds: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn subject() -> String {
    "sub".to_owned()
}

/// The part `limits` of the configuration.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    batch_records: Option<u64>,
    record_bytes: Option<u64>,
    import_records: Option<u64>,
    tail_records: Option<u64>,
    overlay_rows: Option<u64>,
    group_columns: Option<u64>,
    answer_rows: Option<u64>,
    page_rows: Option<u64>,
    paged_rows: Option<u64>,
    pinned_answers: Option<u64>,
    pinned_bytes: Option<u64>,
    page_seconds: Option<u64>,
    unlisted_seconds: Option<u64>,
    query_bytes: Option<u64>,
    cache_bytes: Option<u64>,
    requests_per_second: Option<u64>,
    request_burst: Option<u64>,
    filter_bytes: Option<u64>,
    kept_answers: Option<u64>,
    kept_answer_bytes: Option<u64>,
    kept_answer_seconds: Option<u64>,
    running_jobs: Option<u64>,
    pending_transfers: Option<u64>,
    budgets: Option<u64>,
    usage_exports: Option<u64>,
    usage_queries: Option<u64>,
    usage_queries_at_once: Option<u64>,
    usage_results: Option<u64>,
    usage_result_bytes: Option<u64>,
    usage_result_seconds: Option<u64>,
    usage_months: Option<u64>,
    usage_long_months: Option<u64>,
    usage_filter_values: Option<u64>,
    sessions: Option<u64>,
}

/// Puts what is given in the place of what is usual; every key is named, or this does not compile.
macro_rules! put {
    ($given:ident over $limits:ident: $($key:ident)*) => {
        let Limits { $($key),* } = $given;
        $($limits.$key = $key.unwrap_or($limits.$key);)*
    };
}

impl Limits {
    fn over(self, limits: &mut service::Limits) {
        let given = self;
        put! {
            given over limits:
            batch_records record_bytes import_records tail_records overlay_rows group_columns
            answer_rows page_rows paged_rows pinned_answers pinned_bytes page_seconds
            unlisted_seconds query_bytes cache_bytes requests_per_second request_burst
            filter_bytes kept_answers kept_answer_bytes kept_answer_seconds running_jobs
            pending_transfers budgets usage_exports usage_queries usage_queries_at_once
            usage_results usage_result_bytes usage_result_seconds usage_months usage_long_months
            usage_filter_values sessions
        }
    }
}

impl Place {
    /// The limits of the wire.
    pub(crate) fn wire(&self) -> anyhow::Result<Wire> {
        self.file()?.http.checked()
    }

    fn file(&self) -> anyhow::Result<File> {
        let mut figment = Figment::new().merge(Toml::string(self.beneath.unwrap_or_default()));
        if let Some(path) = &self.config {
            figment = figment.merge(Toml::file_exact(path));
        }
        let keys = [
            "buckets",
            "shards",
            "data_centre",
            "second_person",
            "limits",
            "issuers",
            "http",
            "close",
            "keys",
            "reports",
            "mail",
            "callbacks",
        ];
        let env = Env::prefixed("RECKONER_").split("__").filter(move |key| {
            let first = key.as_str().split('.').next().unwrap_or_default();
            keys.iter().any(|known| first.eq_ignore_ascii_case(known))
        });
        figment.merge(env).extract().context("read the configuration")
    }

    /// Other issuers whose tokens are taken.
    pub(crate) fn issuers(&self) -> anyhow::Result<Vec<ExternalIssuer>> {
        let beside = self.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        self.file()?.issuers.into_iter().map(|entry| entry.read(beside)).collect()
    }

    /// Who tells people what is to be told, and who delivers results.
    pub(crate) fn couriers(&self) -> anyhow::Result<(Courier, ResultCourier)> {
        let File { mail, callbacks, .. } = self.file()?;
        let (reachable, rules) = (callbacks.reachable()?, callbacks.rules()?);
        let courier = Courier::new(mail, callbacks.groups, &reachable)?;
        Ok((courier, ResultCourier::new(reachable, &rules)?))
    }

    /// The configuration of the place.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let file = self.file()?;
        let mut config = Config::new(&self.data);
        config.postgres = self.store.clone();
        config.buckets = file.buckets.unwrap_or(config.buckets);
        config.shards = file.shards.unwrap_or(config.shards);
        config.data_centre = data_centre(file.data_centre, config.data_centre)?;
        config.second_person = second_person(&file.second_person)?;
        file.limits.over(&mut config.limits);
        config.schedule = file.close.over(Schedule::default())?;
        config.keys = file.keys.over(KeyLifetimes::default())?;
        config.callbacks = file.callbacks.rules()?;
        config.refresh_seconds = file.reports.refresh_seconds.unwrap_or(config.refresh_seconds);
        Ok(config)
    }

    /// Opens the installation on the machine's clock.
    pub(crate) async fn open(&self) -> anyhow::Result<Reckoner> {
        self.open_with(Arc::new(WallClock)).await
    }

    /// Opens the installation on a business clock.
    pub(crate) async fn open_with(
        &self,
        business: Arc<dyn BusinessClock>,
    ) -> anyhow::Result<Reckoner> {
        let system: Arc<dyn SystemClock> = Arc::new(WallClock);
        let clocks = Clocks { business, system };
        let opened = Reckoner::open(self.config()?, clocks).await;
        let reckoner = opened.with_context(|| format!("open {}", self.data.display()))?;
        reckoner.read_again_with(intake::read_again);
        reckoner.judge_callbacks_with(callbacks::judge(self.file()?.callbacks.reachable()?));
        Ok(reckoner)
    }
}

/// The name of the data centre that the installation is.
fn data_centre(given: Option<String>, usual: String) -> anyhow::Result<String> {
    let name = given.unwrap_or(usual);
    if name.trim().is_empty() || name.len() > DATA_CENTRE_BYTES {
        bail!("data_centre: must have 1 to {DATA_CENTRE_BYTES} bytes");
    }
    Ok(name)
}

/// Reads which actions need a second person.
fn second_person(names: &[String]) -> anyhow::Result<SecondPerson> {
    let action = |name: &String| {
        Action::parse(name).with_context(|| format!("second_person: `{name}` is no action"))
    };
    let actions = names.iter().map(action).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(SecondPerson::new(actions)?)
}

impl IssuerEntry {
    fn read(self, beside: &Path) -> anyhow::Result<ExternalIssuer> {
        let IssuerEntry {
            name,
            url,
            audience,
            principal_claim,
            jwks_uri,
            ca_file,
            ask_every_seconds,
        } = self;
        let authorities = ca_file.map(|path| {
            let path = beside.join(path);
            std::fs::read(&path)
                .with_context(|| format!("read {}, ca_file of issuer `{name}`", path.display()))
        });
        Ok(ExternalIssuer {
            authorities: authorities.transpose()?,
            name,
            issuer: url,
            audiences: match audience {
                OneOrMany::One(audience) => vec![audience],
                OneOrMany::Many(audiences) => audiences,
            },
            jwks_uri,
            principal_claim,
            ask_every_s: ask_every_seconds.unwrap_or(ExternalIssuer::ASK_EVERY_S),
        })
    }
}
