//! Closing billing periods.

use crate::invoices::read_period;
use crate::wire::listed;
use axum::Json;
use axum::extract::State;
use calendar::Instant;
use domain::ids::BillingAccountId;
use domain::invoice_state::InvoiceState;
use httpkit::{Asking, Faults, JsonBody, Parameters, Path, Refusal, RequestId, Unhurried};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{
    AccountClosing, AccountStanding, CloseMode, ClosePeriod, CloseStanding, Closing, Drafts,
    Outcome, Reckoner, RunningClose, SealedPeriod, Told,
};

/// Closes a billing period, or shows what closing it would do.
pub(crate) async fn run(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    _: Unhurried,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let asked = ClosePeriod::try_from(asked)?;
    let closing = reckoner.close_period(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(Answer::from(closing)))
}

/// Lists what is sealed, newest first.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Listed>,
) -> Result<Json<List>, Refusal> {
    let limit = listed(&reckoner, asked.limit, 100)?;
    let closes = reckoner.sealed_periods(&caller, limit).await?;
    Ok(Json(List { closes: closes.into_iter().map(Sealed::from).collect() }))
}

/// Where a billing period stands, account by account.
pub(crate) async fn one(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Path(period): Path<String>,
) -> Result<Json<Standing>, Refusal> {
    let standing = reckoner.close_standing(&caller, read_period(&period)?).await?;
    Ok(Json(Standing::of(standing, reckoner.system_now())))
}

/// Which billing period, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    period: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    issue: bool,
    #[serde(default)]
    leave_out: Vec<String>,
}

impl TryFrom<Asked> for ClosePeriod {
    type Error = Refusal;

    fn try_from(asked: Asked) -> Result<ClosePeriod, Refusal> {
        let Asked { period, dry_run, issue, leave_out } = asked;
        let mut faults = Faults::default();
        let period = faults.read("period", read_period(&period));
        let left_out = faults.read_each("leave_out", &leave_out, |id| BillingAccountId::new(id));
        let asked = || {
            Some(ClosePeriod {
                period: period?,
                mode: if dry_run { CloseMode::DryRun } else { CloseMode::Final },
                drafts: if issue { Drafts::GoOut } else { Drafts::Wait },
                left_out: left_out?,
            })
        };
        faults.end(asked())
    }
}

/// What closing came to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    period: String,
    gates: Vec<String>,
    accounts: Vec<Account>,
    computed_again: u64,
    head: Option<String>,
}

impl From<Closing> for Answer {
    fn from(Closing { period, gates, accounts, computed_again, head }: Closing) -> Answer {
        Answer {
            period: period.to_string(),
            gates,
            accounts: accounts.into_iter().map(Account::from).collect(),
            computed_again,
            head: head.map(|head| head.to_string()),
        }
    }
}

/// What it came to for one account.
#[derive(Serialize, JsonSchema)]
struct Account {
    billing_account: String,
    outcome: &'static str,
    reason: Option<String>,
    invoices: Vec<Item>,
}

impl From<AccountClosing> for Account {
    fn from(AccountClosing { billing_account, outcome }: AccountClosing) -> Account {
        let (outcome, reason, documents) = match outcome {
            Outcome::Closed { documents } => ("closed", None, documents),
            Outcome::ClosedBefore { documents } => ("closed_before", None, documents),
            Outcome::WouldClose { documents } => ("would_close", None, documents),
            Outcome::Waits { reason } => ("waits", Some(reason), Vec::new()),
            Outcome::Parked { reason } => ("parked", Some(reason), Vec::new()),
        };
        Account {
            billing_account: billing_account.to_string(),
            outcome,
            reason,
            invoices: documents.into_iter().map(Item::from).collect(),
        }
    }
}

/// An invoice or note, in short.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    id: String,
    number: Option<String>,
    state: &'static str,
    total: String,
    currency: String,
}

impl From<Told> for Item {
    fn from(Told { id, number, total, state }: Told) -> Item {
        Item {
            id: id.to_string(),
            number: number.map(|number| number.to_string()),
            state: state.map_or("issued", InvoiceState::name),
            total: total.digits(),
            currency: total.currency().to_string(),
        }
    }
}

/// How many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    limit: Option<u64>,
}

/// What is sealed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct List {
    closes: Vec<Sealed>,
}

/// A link of the chain.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sealed {
    period: String,
    link: u64,
    /// The account that had been parked; none for the close of all others.
    billing_account: Option<String>,
    head: String,
    sealed_at: String,
}

impl From<SealedPeriod> for Sealed {
    fn from(sealed: SealedPeriod) -> Sealed {
        let SealedPeriod { period, link, billing_account, head, sealed_at } = sealed;
        let (period, head, sealed_at) =
            (period.to_string(), head.to_string(), sealed_at.to_string());
        Sealed { period, link, billing_account, head, sealed_at }
    }
}

/// Where a billing period stands.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Standing {
    period: String,
    /// The head of the chain behind its link, once it is sealed.
    head: Option<String>,
    open: u64,
    parked: u64,
    closed: u64,
    /// The close of it that runs at this moment.
    running: Option<Running>,
    accounts: Vec<StandingItem>,
}

impl Standing {
    pub(crate) fn of(standing: CloseStanding, now: Instant) -> Standing {
        let CloseStanding { period, head, accounts, running } = standing;
        let accounts: Vec<StandingItem> = accounts.into_iter().map(StandingItem::from).collect();
        let count = |state: &str| accounts.iter().filter(|one| one.state == state).count() as u64;
        Standing {
            period: period.to_string(),
            head: head.map(|head| head.to_string()),
            open: count("open"),
            parked: count("parked"),
            closed: count("closed"),
            running: running.map(|run| Running::of(&run, now)),
            accounts,
        }
    }
}

/// A close that runs.
#[derive(Serialize, JsonSchema)]
struct Running {
    dry_run: bool,
    started_at: String,
    done: u64,
    in_all: u64,
    /// Seconds that the rest will take, if it goes as the accounts so far.
    remaining_s: Option<u64>,
}

impl Running {
    fn of(run: &RunningClose, now: Instant) -> Running {
        let RunningClose { period: _, mode, started_at, done, in_all } = run;
        Running {
            dry_run: *mode == CloseMode::DryRun,
            started_at: started_at.to_string(),
            done: *done,
            in_all: *in_all,
            remaining_s: run.remaining_s(now),
        }
    }
}

/// Where an account stands in it.
#[derive(Serialize, JsonSchema)]
struct StandingItem {
    billing_account: String,
    /// `open`, `parked` or `closed`.
    state: &'static str,
    reason: Option<String>,
    since: Option<String>,
    /// The number of the link that seals it.
    link: Option<u64>,
}

impl From<(BillingAccountId, AccountStanding)> for StandingItem {
    fn from((id, standing): (BillingAccountId, AccountStanding)) -> StandingItem {
        let (state, reason, since, link) = match standing {
            AccountStanding::Open => ("open", None, None, None),
            AccountStanding::Parked { reason, at } => ("parked", Some(reason), Some(at), None),
            AccountStanding::Closed { at, link } => ("closed", None, Some(at), link),
        };
        let since = since.map(|at| at.to_string());
        StandingItem { billing_account: id.to_string(), state, reason, since, link }
    }
}
