//! The use cases: the only door for surfaces.
//!
//! Every use case says first who may, then does one thing in one transaction. It takes the caller
//! and domain types, and gives domain types back; no status code, no vendor's word, no SQL.
//!
//! Use cases are `boxed`: what they do is compiled here once, not again in every crate that calls
//! them.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod account_closes;
mod account_papers;
mod account_roles;
mod account_usage;
mod amend;
mod approvals;
mod backup;
mod balance_summaries;
mod balances;
mod below;
mod billed_to;
mod bookings;
mod books_check;
mod budget_checks;
mod budgets;
mod callback_log;
mod callbacks;
mod carry;
mod cells;
mod chain;
mod changes;
mod charge_groups;
mod charge_summaries;
mod close_progress;
mod closes;
mod coder;
mod codes;
pub mod company;
mod config;
mod conflicts;
mod coupling;
mod credit_events;
mod data_periods;
mod data_sets;
mod dated_charges;
mod declare;
mod declared;
mod detail_portions;
mod detail_reads;
mod detail_rows;
mod document_files;
mod documents;
mod drafts;
mod enterprise_keys;
mod explain;
mod explain_figures;
mod explain_lines;
mod failures;
mod forecasts;
mod group_by;
mod holding_changes;
mod holding_charges;
mod holding_moves;
mod holdings;
#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        reason = "it counts rows of a file, which `limits.import_records` bounds"
    )
)]
mod imports;
mod intake;
mod invoice_lines;
mod invoice_told;
mod invoices_at;
mod job_targets;
mod jobs;
mod kept_answers;
mod kept_balances;
mod kept_budgets;
mod kept_details;
mod kept_lines;
mod kept_questions;
mod keys;
mod late;
mod later_steps;
mod ledgers;
mod left_out;
mod messaging_accounts;
mod move_facts;
mod notes;
mod notes_check;
mod obstacles;
mod opening;
mod operations;
mod pages;
mod paper_changes;
mod payments;
mod period_charges;
mod price_sheets;
mod quarantine;
mod queries;
mod rate_cards;
mod rated_rows;
mod rating;
mod released;
mod replay;
mod repricing;
mod requests;
mod reservation_recommendations;
mod reservation_transactions;
mod reservation_usage;
mod reservations;
mod role_changes;
mod roll_ups;
mod scheduled_closes;
mod sealing;
mod senders;
mod sent;
mod sessions;
mod sign_in;
mod snapshots;
mod spending;
mod standing;
mod standing_invoices;
mod structure;
mod structure_changes;
mod subscription_periods;
mod subscriptions;
mod superseded;
mod sweeping;
mod targets;
mod time_zones;
mod told_details;
mod told_lines;
mod transfer_given;
mod transfer_moves;
mod transfers;
mod units;
mod usage_aggregates;
mod usage_answers;
mod usage_details;
mod usage_exports;
mod usage_queries;
mod usage_results;
mod usage_rights;
mod usage_rows;
mod usage_runs;
mod verdicts;
mod watermarks;
mod write_offs;

pub use self::documents::{Document, DocumentsAsked, Issued, IssuedNote};
pub use ::documents::guarded;
pub use account_papers::PaymentMethodTold;
pub use account_roles::RoleTold;
pub use amend::{Amended, AmendmentAsked, Change};
pub use approvals::AccountDrafts;
pub use backup::{backup, restore};
pub use balance_summaries::BalanceOfPeriod;
pub use balances::{AvailableBalance, LotBalance};
pub use billed_to::{Attached, BilledTo, CustomerTold, OfferTold};
pub use budget_checks::{Notice, NoticeEnd, Recipient, ThresholdReached, Tried};
pub use budgets::{BudgetAsked, BudgetPut, BudgetTold};
pub use callback_log::CallbackLogged;
pub use callbacks::{
    AttemptTold, CallbackAddress, CallbackAnswer, CallbackEnd, CallbackJudge, CallbackLetter,
    CallbackTold, CallbackTried, DueCallback,
};
pub use charge_summaries::{ChargeSummariesAsked, ChargeSummary, ChargesBy};
pub use close_progress::{AccountStanding, CloseStanding, RunningClose, SealedPeriod};
pub use closes::{AccountClosing, CloseMode, ClosePeriod, Closing, Drafts, Outcome, Told};
pub use config::{CallbackRules, Clocks, Config, KeyLifetimes, Limits};
pub use conflicts::Conflict;
pub use credit_events::{CreditEvent, CreditEventsAsked, CreditTold, LotState, LotTold};
pub use declare::{Applied, DeclaredFact};
pub use detail_reads::DetailStream;
pub use document_files::{DocumentFile, plain_name};
pub use enterprise_keys::{EnterpriseKeyShown, EnterpriseKeyTold, EnterpriseKeyWanted};
pub use explain::{ExplainedRow, Explanation};
pub use explain_figures::{ExplainedFigure, FigureAsked, LotHeld};
pub use explain_lines::{Behind, ExplainedLine, LineAsked, Rest};
pub use forecasts::{ForecastGrain, ForecastRow};
pub use group_by::{ChargeFilter, GroupBy};
pub use holding_changes::RenewalAsked;
pub use holding_charges::{LastCharge, SubscriptionCharges};
pub use holding_moves::{HoldingId, HoldingMove, ProfileAsked, Reach, SectionAsked};
pub use holdings::{HoldingTold, ProductTold, SubscriptionTold};
pub use imports::{ImportOptions, ImportPlan, Imported, hash_of_files};
pub use intake::{Incoming, Taken, Unread, Unreadable};
pub use invoice_lines::{InvoiceLinePage, InvoiceLinesAsked};
pub use invoice_told::{
    Charged, InvoicePayment, InvoiceTold, InvoicedProfile, PaymentSource, Replaced,
};
pub use invoices_at::InvoicesOf;
pub use jobs::{Condition, FailureKind, JobAsked, JobFailure, JobStanding, JobTold};
pub use kept_answers::{Begun, Repeatable, Turn};
pub use keys::{KeyMade, KeyWanted};
pub use ledgers::{LedgerAsked, LedgerTold};
pub use left_out::LeftOut;
pub use messaging_accounts::MessagingAccountTold;
pub use notes::{CreditLine, CreditNoteAsked, Rebilled, Withdrawal};
pub use operations::Checked;
pub use paper_changes::{InstructionAsked, PoliciesAsked};
pub use payments::{PaymentAsked, PaymentBooked, Way};
pub use price_sheets::{PriceRow, PriceSheet, PriceSheetAsked, SheetPrices};
pub use quarantine::WaitingAsked;
pub use queries::{ChargeQuery, ChargeRow, ChargeTable, Grain};
pub use rate_cards::{RateCardAsked, RateCardView};
pub use replay::{ReadAgain, Replayed, StillWaiting};
pub use requests::{RequestDone, RequestTold};
pub use reservation_recommendations::{
    LookBack, RecommendationsAsked, ReservationRecommendation, Sharing,
};
pub use reservation_transactions::{
    Purchaser, ReservationTransaction, ReservationTransactionsAsked,
};
pub use reservation_usage::{
    InstanceHours, ReservationDay, ReservationMonth, ReservationUsageAsked, Utilization,
};
pub use reservations::{ReservationTold, ReservedFor};
pub use role_changes::{Grantee, IfGiven, RoleAsked};
pub use scheduled_closes::Schedule;
pub use sessions::{SessionAsked, SessionMade};
pub use sign_in::{IssuedToken, OwnTokenAsked, TokenAsked, entropy, new_secret};
pub use snapshots::Snapshot;
pub use spending::SpendPlace;
pub use store::{
    AuditEntry, AuditFilter, AuditRow, CallbackFilter, CallbackState, KeyRow, UsageQueryState,
};
pub use structure::{AccountSeen, AccountTold, Owner, PlaceSeen, PlaceTold};
pub use structure_changes::{AccountChange, ProfileChange, Put, SectionChange, StructureChange};
pub use subscription_periods::SubscriptionPeriod;
pub use told_lines::{
    InvoiceLineKind, InvoiceLineTold, InvoiceLineType, MeterNamed, Named, Reserved,
};
pub use transfers::{TransferAsked, TransferTold, TransferredProduct, ValidatedProduct};
pub use usage_aggregates::{Granularity, UsageAggregate, UsageAsked, UsageDetail, UsagePage};
pub use usage_answers::{AnswerColumn, AnswerRow, UsageAnswer};
pub use usage_details::{
    DataSet, DetailCost, DetailFilter, DetailKind, DetailPage, DetailSpan, DetailTold,
    DetailsAsked, PeriodTold,
};
pub use usage_exports::{UsageExportFile, UsageExportStanding, UsageExportTold};
pub use usage_queries::{UsageQueriesAsked, UsageQueryAsked, UsageQueryTold};
pub use usage_results::{Pieces, UsageResultRead, UsageShape};
pub use write_offs::WrittenOff;

pub(crate) use below::{blocking, engine_failed, private_directory, random_32, secret_32, stored};

use async_recursion::async_recursion as boxed;
use cells::Cells;
use codes::Codes;
use declared::Declared;
use domain::access::{Action, Caller, Scope};
use domain::{Error, Result};
use engine::{Engine, EngineOptions, ObjectPlace};
use opening::{fixed_settings, open_files, open_log};
use snapshots::Hold;
use std::sync::{Arc, OnceLock, RwLock};
use store::{Store, StorePlace};
use usagelog::UsageLog;
use watermarks::Watermarks;

/// An open installation. Cheap to clone. Changes made through one that is held to a version count
/// only while what is declared is at that version.
#[derive(Clone)]
pub struct Reckoner(Arc<Inner>, Hold);

pub(crate) struct Inner {
    config: Config,
    clocks: Clocks,
    store: Arc<Store>,
    log: UsageLog,
    engine: Engine,
    codes: Arc<Codes>,
    cells: Cells,
    hash_key: [u8; 32],
    declared: RwLock<Arc<Declared>>,
    snapshots: declared::Snapshots,
    companies: snapshots::Companies,
    /// Held while facts are read or appended.
    declaring: tokio::sync::Mutex<()>,
    /// Held while a billing period is closed.
    closing: tokio::sync::Mutex<()>,
    /// Held while usage is sealed.
    sealing: tokio::sync::Mutex<()>,
    /// Held while a key is made: two of one name at once must see each other.
    making_keys: tokio::sync::Mutex<()>,
    running: kept_answers::Running,
    making_sets: data_sets::Making,
    jobs: jobs::Runner,
    budget_checks: budget_checks::Checks,
    exports: usage_exports::Exports,
    queries: usage_runs::Queries,
    moves: transfer_moves::Rest,
    progress: close_progress::Progress,
    looked: scheduled_closes::Looked,
    sign_in: sign_in::SignIn,
    watermarks: Watermarks,
    sweeping: sweeping::Sweeping,
    /// How the surface that takes usage in reads a record; none until it was told.
    read_again: OnceLock<ReadAgain>,
    verdicts: verdicts::Verdicts,
}

impl Reckoner {
    /// Opens the installation of a directory, making it where there is none.
    ///
    /// Errors: [`Error::Invalid`] for a configuration that cannot be, [`Error::Unavailable`] when
    /// another process holds the directory, [`Error::Internal`] when storage fails.
    #[boxed]
    pub async fn open(config: Config, clocks: Clocks) -> Result<Reckoner> {
        let inner = blocking({
            let (config, clocks) = (config.clone(), clocks.clone());
            move || open(config, clocks)
        })
        .await?;
        let inner = Arc::new(inner);
        inner.mark_objects().await?;
        inner.refresh_declared().await?;
        let loading = Arc::clone(&inner);
        blocking(move || {
            loading.load_cells()?;
            loading.replay()
        })
        .await?;
        Ok(Reckoner(inner, Hold::Newest))
    }

    /// Stops in good order: everything in memory is written, the log is released.
    ///
    /// Errors: [`Error::Internal`] when storage fails; what was acknowledged is durable anyway.
    #[boxed]
    pub async fn close(&self) -> Result<()> {
        self.settle_all().await?;
        let inner = Arc::clone(&self.0);
        blocking(move || inner.log.close().map_err(|e| Error::internal("close the usage log", e)))
            .await
    }

    /// The business moment.
    pub fn now(&self) -> calendar::Instant {
        self.0.clocks.business.now()
    }

    /// The real moment.
    pub fn system_now(&self) -> calendar::Instant {
        self.0.clocks.system.now()
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    /// A secret with which a surface seals what it hands out and takes back, such as page tokens:
    /// the same at every start, another for each purpose.
    pub fn sealing_secret(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0.hash_key)
    }

    /// Demands a right now, by the newest facts that this node knows.
    pub(crate) async fn demand(
        &self,
        caller: &Caller,
        action: Action,
        scope: &Scope,
    ) -> Result<()> {
        domain::access::demand_at(&self.0.declared().company, caller, action, scope, self.now())
    }
}

fn open(config: Config, clocks: Clocks) -> Result<Inner> {
    if config.buckets == 0 || config.shards == 0 {
        return Err(Error::invalid("buckets", "buckets and shards must be at least 1"));
    }
    sweeping::check(config.limits.unlisted_seconds)?;
    private_directory(&config.directory)
        .map_err(|e| Error::internal(format!("make {}", config.directory.display()), e))?;
    let place = match &config.postgres {
        Some(url) => StorePlace::Postgres(url.clone()),
        None => StorePlace::Sqlite(config.directory.join("books.db")),
    };
    // Locked before the books are touched: a newer program would bring them up to date.
    let files = match &config.postgres {
        Some(_) => None,
        None => Some(open_files(&config)?),
    };
    let store = Arc::new(Store::open(&place).map_err(stored("open the books"))?);
    let config = fixed_settings(&store, config)?;
    let hash_key = secret_32(&store, "log hash key")?;
    let log = open_log(&config, &store, files, hash_key)?;
    let engine = Engine::open(EngineOptions {
        place: ObjectPlace::Directory(config.directory.join("objects")),
        memory_bytes: usize::try_from(config.limits.query_bytes).unwrap_or(usize::MAX),
        threads: config.threads,
        cached_bytes: config.limits.cache_bytes,
        spill: None,
    })
    .map_err(engine_failed("open the objects"))?;
    let codes = Arc::new(Codes::open(Arc::clone(&store), &rated_rows::code_kinds())?);
    let sign_in = sign_in::SignIn::open(&store)?;
    let watermarks = Watermarks::open(&store, clocks.business.now())?;
    Ok(Inner {
        config,
        clocks,
        store,
        log,
        engine,
        codes,
        cells: Cells::default(),
        hash_key,
        declared: RwLock::new(Arc::new(Declared::default())),
        snapshots: declared::Snapshots::default(),
        companies: snapshots::Companies::default(),
        declaring: tokio::sync::Mutex::new(()),
        closing: tokio::sync::Mutex::new(()),
        sealing: tokio::sync::Mutex::new(()),
        making_keys: tokio::sync::Mutex::new(()),
        running: kept_answers::Running::default(),
        making_sets: data_sets::Making::default(),
        jobs: jobs::Runner::default(),
        budget_checks: budget_checks::Checks::default(),
        exports: usage_exports::Exports::default(),
        queries: usage_runs::Queries::default(),
        moves: transfer_moves::Rest::default(),
        progress: close_progress::Progress::default(),
        looked: scheduled_closes::Looked::default(),
        sign_in,
        watermarks,
        sweeping: sweeping::Sweeping::default(),
        read_again: OnceLock::new(),
        verdicts: verdicts::Verdicts::default(),
    })
}
