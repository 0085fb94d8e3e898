//! What an installation is told: places, limits, clocks.

use calendar::{BusinessClock, SystemClock};
use domain::access::SecondPerson;
use domain::usage_queries::CallbackSchedule;
use std::path::PathBuf;
use std::sync::Arc;

/// Where everything is kept, and how much is allowed.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory: usage log, index, objects, and the books when they are SQLite.
    pub directory: PathBuf,
    /// URL of a shared PostgreSQL for the books; SQLite in the directory if none.
    pub postgres: Option<String>,
    /// Buckets that accounts are spread over within a billing period; fixed when the directory is
    /// made.
    pub buckets: u16,
    /// Shards of the usage log; fixed when the directory is made.
    pub shards: u16,
    /// The data centre that the installation is; it answers of this one alone.
    pub data_centre: String,
    /// Threads that questions are answered with, and cells sealed at once; at least one. No answer
    /// depends on it.
    pub threads: usize,
    /// What needs a second person.
    pub second_person: SecondPerson,
    /// When billing periods are closed by themselves; never if none.
    pub schedule: Option<crate::Schedule>,
    /// How long API keys hold.
    pub keys: KeyLifetimes,
    /// When results of usage queries are sent to their receivers.
    pub callbacks: CallbackRules,
    /// Seconds after which what reports say of an open billing period is made anew; at every
    /// question if 0.
    pub refresh_seconds: u64,
    /// Limits in force.
    pub limits: Limits,
}

/// How long API keys hold, in days, and sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLifetimes {
    /// Where nothing is said; at most `days_most`.
    pub days: u32,
    /// The most that may be asked for; as many as one likes if none.
    pub days_most: Option<u32>,
    /// How long enterprise keys hold.
    pub enterprise_days: u32,
    /// Minutes that a session holds which nobody uses.
    pub session_minutes: u32,
}

impl Default for KeyLifetimes {
    fn default() -> KeyLifetimes {
        // Six months, as the documented sample key has them: enterprise-reporting, section 1.5.
        // An hour, as sessions have it: `infobip.md` section 2.
        KeyLifetimes { days: 365, days_most: None, enterprise_days: 183, session_minutes: 60 }
    }
}

impl KeyLifetimes {
    const DAY_S: i64 = 86_400;

    /// Seconds that a key holds for which nothing is asked.
    pub(crate) fn usual_s(&self) -> i64 {
        let days = self.days_most.map_or(self.days, |most| most.min(self.days));
        i64::from(days).saturating_mul(KeyLifetimes::DAY_S)
    }

    /// Seconds that an enterprise key holds.
    pub(crate) fn enterprise_s(&self) -> i64 {
        i64::from(self.enterprise_days).saturating_mul(KeyLifetimes::DAY_S)
    }

    /// Seconds that a session holds which nobody uses.
    pub(crate) fn session_s(&self) -> i64 {
        i64::from(self.session_minutes).saturating_mul(60)
    }

    /// The most days, if so many seconds are more.
    pub(crate) fn passed_by(&self, lifetime_s: i64) -> Option<u32> {
        let most_s = |most: &u32| i64::from(*most).saturating_mul(KeyLifetimes::DAY_S);
        self.days_most.filter(|most| lifetime_s > most_s(most))
    }
}

/// When results are sent, and how many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRules {
    /// The pauses before each try.
    pub schedule: CallbackSchedule,
    /// How long a receiver has for one try, in seconds; for a large result as much longer as
    /// [`CallbackRules::try_most_s`] says.
    pub timeout_s: u64,
    /// Results that are sent to one receiver at once, whatever nodes send.
    pub per_receiver: u64,
    /// Results that one node sends at once.
    pub at_once: u64,
}

impl CallbackRules {
    /// How many bytes of a result must get to its receiver in a second, on the whole.
    pub const SLOWEST_BYTES: u64 = 256 * 1024;

    /// How long a try with so many bytes takes at most, in seconds.
    pub fn try_most_s(&self, size_bytes: u64) -> u64 {
        let moving_s = size_bytes.checked_div(CallbackRules::SLOWEST_BYTES).unwrap_or(0);
        self.timeout_s.saturating_add(moving_s)
    }
}

impl Default for CallbackRules {
    fn default() -> CallbackRules {
        let schedule = CallbackSchedule::default();
        CallbackRules { schedule, timeout_s: 15, per_receiver: 2, at_once: 64 }
    }
}

impl Config {
    /// The defaults for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Config {
        Config {
            directory: directory.into(),
            postgres: None,
            buckets: 4,
            shards: 1,
            data_centre: "local".to_owned(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            second_person: SecondPerson::default(),
            schedule: Some(crate::Schedule::default()),
            keys: KeyLifetimes::default(),
            callbacks: CallbackRules::default(),
            refresh_seconds: 300,
            limits: Limits::default(),
        }
    }
}

/// Limits of the installation; each is a configuration key below `limits`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Records in one intake request.
    pub batch_records: u64,
    /// Bytes of one record, as it is sent and as it is kept.
    pub record_bytes: u64,
    /// Records in one imported file.
    pub import_records: u64,
    /// Records kept in memory before they are sealed.
    pub tail_records: u64,
    /// Rated rows kept in memory before they are written.
    pub overlay_rows: u64,
    /// Columns of one grouping.
    pub group_columns: u64,
    /// Rows of one answer that is not paged.
    pub answer_rows: u64,
    /// Rows of one page of usage aggregates, and items of one page of a list.
    pub page_rows: u64,
    /// Rows that a paged answer may hold in all.
    pub paged_rows: u64,
    /// Pinned answers that one caller may have at a time.
    pub pinned_answers: u64,
    /// Bytes of all pinned answers of one caller.
    pub pinned_bytes: u64,
    /// Seconds that a continuation token and what it pins are kept.
    pub page_seconds: u64,
    /// Seconds after which a file among the objects that the books do not list counts as left
    /// behind by a crash and is removed; at least 60.
    pub unlisted_seconds: u64,
    /// Memory for one query, in bytes.
    pub query_bytes: u64,
    /// Memory for decoded columns of recent files, in bytes.
    pub cache_bytes: u64,
    /// Requests per second and principal on the billing surfaces.
    pub requests_per_second: u64,
    /// Requests a principal may make at once before the rate applies.
    pub request_burst: u64,
    /// Bytes of a filter in a query.
    pub filter_bytes: u64,
    /// Keys for requests that may be sent again, which one caller may have at a time.
    pub kept_answers: u64,
    /// Bytes of one answer that is kept for them; of a larger one only that it was given.
    pub kept_answer_bytes: u64,
    /// Seconds that such a key and its answer are kept.
    pub kept_answer_seconds: u64,
    /// Operations that run behind their answers, which one caller may have at a time.
    pub running_jobs: u64,
    /// Transfers to one place that may wait for an answer at a time.
    pub pending_transfers: u64,
    /// Budgets of one scope.
    pub budgets: u64,
    /// Exports of usage details that one enterprise key may ask for within an hour.
    pub usage_exports: u64,
    /// Usage queries that have not ended, which one caller may have at a time.
    pub usage_queries: u64,
    /// Usage queries that one node answers at once; at least one.
    pub usage_queries_at_once: u64,
    /// Usage queries that are kept with their results, which one caller may have at a time.
    pub usage_results: u64,
    /// Bytes of all results that are kept for one caller.
    pub usage_result_bytes: u64,
    /// Seconds that a result is kept; longer while its callback is still to be delivered.
    pub usage_result_seconds: u64,
    /// Months that usage queries may ask for: the current one and those before it; and at once.
    pub usage_months: u64,
    /// Months that a long range may have.
    pub usage_long_months: u64,
    /// Values of one list of a usage query.
    pub usage_filter_values: u64,
    /// Sessions that one client may have open at a time.
    pub sessions: u64,
}

impl Limits {
    /// What is wrong with a record of this size, if anything.
    pub fn record_problem(&self, size_bytes: usize) -> Option<String> {
        let most = self.record_bytes;
        let is_larger = u64::try_from(size_bytes).unwrap_or(u64::MAX) > most;
        is_larger.then(|| {
            format!("is {size_bytes} bytes; at most {most} are taken (limits.record_bytes)")
        })
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            batch_records: 10_000,
            record_bytes: 64 * 1024,
            import_records: 5_000_000,
            tail_records: 250_000,
            overlay_rows: 500_000,
            group_columns: 12,
            answer_rows: 1_000_000,
            page_rows: 1_000,
            paged_rows: 5_000_000,
            pinned_answers: 1_000,
            pinned_bytes: 2 * 1024 * 1024 * 1024,
            page_seconds: 24 * 3_600,
            unlisted_seconds: 3_600,
            query_bytes: 512 * 1024 * 1024,
            cache_bytes: 256 * 1024 * 1024,
            requests_per_second: 25,
            request_burst: 250,
            filter_bytes: 4_096,
            kept_answers: 10_000,
            kept_answer_bytes: 256 * 1024,
            kept_answer_seconds: 24 * 3_600,
            running_jobs: 100,
            pending_transfers: 100,
            budgets: 100,
            usage_exports: 100,
            usage_queries: 100,
            usage_queries_at_once: 2,
            usage_results: 20_000,
            usage_result_bytes: 10 * 1024 * 1024 * 1024,
            usage_result_seconds: 7 * 24 * 3_600,
            usage_months: 3,
            usage_long_months: 120,
            usage_filter_values: 1_000,
            sessions: 1_000,
        }
    }
}

/// The two clocks of the installation.
#[derive(Clone)]
pub struct Clocks {
    /// Periods, prices, due dates, retention, "in the future".
    pub business: Arc<dyn BusinessClock>,
    /// Certificates, tokens, signed links, leases, limits.
    pub system: Arc<dyn SystemClock>,
}
