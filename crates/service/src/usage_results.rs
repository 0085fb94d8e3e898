//! Usage results: the bytes that a usage query comes to, spelled once and kept until they expire.
//!
//! They lie among the objects in portions, listed in the books as pinned answers are. Their head
//! says how many bytes there are and what they hash to, each portion for itself, so that nothing
//! damaged goes out. Portions are kept while others are written, so that no result is held whole in
//! memory: of a Parquet file one group of rows, packed.

use crate::pages::{FOLDER, hash, head_of, path_of};
use crate::usage_answers::{AnswerRow, UsageAnswer};
use crate::{Inner, guarded};
use ::documents::{Column, ParquetFile};
use async_recursion::async_recursion as boxed;
use bytes::Bytes;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::usage_queries::UsageFormat;
use domain::{Error, Result};
use futures::Stream;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::sync::Arc;
use store::{Spool, SpoolKept, SpoolLimits};

/// How large portions are, in bytes; the last may be smaller.
const PORTION_BYTES: usize = 1024 * 1024;
/// Rows that are turned into cells of a file at once.
const ROWS_AT_ONCE: usize = 4_096;
/// How long what is not finished is kept: longer than a portion takes.
const UNFINISHED_S: i64 = 3_600;
/// How long a pause between two tries of a callback is at most, drawn out: a day and a tenth.
const PAUSE_MOST_S: i64 = 95_040;
/// Portions that wait to be written while others are spelled.
const WAITING: usize = 2;
/// The columns behind the dimensions.
const MEASURES: [&str; 5] = ["unit", "unit_price", "quantity", "total", "currency"];
/// Those of them that are numbers.
const NUMBERS: [&str; 3] = ["unit_price", "quantity", "total"];

/// What takes text piece by piece.
pub type Pieces<'a> = &'a mut dyn FnMut(&str);

/// How a surface spells what its callbacks say; registered by the surface when it is made.
#[derive(Clone, Copy)]
pub struct UsageShape {
    /// Writes what is said of a query that succeeded, piece by piece: (id, answer, writer).
    pub success: fn(&str, &UsageAnswer, Pieces<'_>),
    /// What is said of a query that failed: (id, why).
    pub failure: fn(&str, &str) -> String,
}

/// Writes text piece by piece.
pub(crate) type Spelling = Box<dyn FnOnce(&mut dyn FnMut(&str)) + Send>;

/// Writes bytes piece by piece.
type Writing = Box<dyn FnOnce(&mut Portions) -> Result<()> + Send>;

/// For whom a result is kept, and by which secret it is signed.
#[derive(Debug, Clone)]
pub(crate) struct KeptFor {
    /// See [`store::UsageQueryRow::owner`].
    pub(crate) owner: String,
    /// The name of the secret; what is not sent has none.
    pub(crate) secret: Option<String>,
}

/// A result that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptResult {
    /// Its id among what is pinned.
    pub(crate) id: String,
    /// Where its portions lie.
    pub(crate) path: String,
    /// How many bytes it has.
    pub(crate) size_bytes: u64,
    /// What all of them hash to.
    pub(crate) hash: String,
}

/// What stands at the head of a result.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultHead {
    pub(crate) size_bytes: u64,
    pub(crate) hash: String,
    /// What each portion hashes to.
    portions: Vec<String>,
    /// See [`KeptFor::secret`].
    pub(crate) secret: Option<String>,
}

/// A result that is read, portion by portion.
pub struct UsageResultRead {
    /// In which format it is.
    pub format: UsageFormat,
    /// How many bytes it has.
    pub size_bytes: u64,
    inner: Arc<Inner>,
    path: String,
    head: Arc<ResultHead>,
    next: usize,
}

impl UsageResultRead {
    pub(crate) fn new(
        inner: Arc<Inner>,
        path: String,
        (format, head): (UsageFormat, Arc<ResultHead>),
    ) -> UsageResultRead {
        UsageResultRead { format, size_bytes: head.size_bytes, inner, path, head, next: 0 }
    }

    /// The next bytes; nothing after the last.
    ///
    /// Errors: [`Error::Internal`] where they cannot be read, or are not what was written.
    #[boxed]
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(expected) = self.head.portions.get(self.next) else { return Ok(None) };
        let portion = u64::try_from(self.next).unwrap_or(u64::MAX);
        let path = path_of(&self.path, portion);
        let failed = crate::engine_failed("read a usage result");
        let bytes = self.inner.engine.get(&path).await.map_err(failed)?;
        if blake3::hash(&bytes).to_hex().as_str() != expected {
            let problem = format!("the bytes of {path} have another hash");
            return Err(Error::internal("read a usage result", problem));
        }
        self.next = self.next.saturating_add(1);
        Ok(Some(bytes))
    }

    /// All bytes from here on.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        futures::stream::try_unfold(self, |mut read| async move {
            Ok::<_, Error>(read.next().await?.map(|bytes| (bytes, read)))
        })
    }
}

impl Inner {
    /// Spells a result and keeps it, for a while: until its query ends.
    ///
    /// Errors: [`Error::TooManyKept`] where too many bytes are kept for the owner;
    /// [`Error::Internal`].
    pub(crate) async fn keep_spelled(
        self: &Arc<Self>,
        of: &KeptFor,
        spelling: Spelling,
    ) -> Result<KeptResult> {
        let writing: Writing = Box::new(move |out: &mut Portions| {
            // Whoever keeps it may have failed: then nobody reads the rest.
            spelling(&mut |text: &str| {
                let _ = out.write_all(text.as_bytes());
            });
            Ok(())
        });
        self.keep_written(of, writing).await
    }

    /// Keeps what is written while it is written: no more than a few portions are held.
    async fn keep_written(self: &Arc<Self>, of: &KeptFor, writing: Writing) -> Result<KeptResult> {
        let mut writer = self.begin_result(of);
        let (give, mut given) = tokio::sync::mpsc::channel::<Bytes>(WAITING);
        let written = tokio::task::spawn_blocking(move || {
            let mut portions = Portions { portion: Vec::new(), give };
            let written = writing(&mut portions);
            portions.finish();
            written
        });
        while let Some(portion) = given.recv().await {
            writer.push(portion).await?;
        }
        written.await.map_err(|e| Error::internal("write a usage result", e))??;
        writer.finish().await
    }

    /// Keeps an answer as a file of a format that is not the surface's.
    ///
    /// Errors: as [`Inner::keep_spelled`].
    pub(crate) async fn keep_file(
        self: &Arc<Self>,
        of: &KeptFor,
        (format, answer): (UsageFormat, Arc<UsageAnswer>),
    ) -> Result<Option<KeptResult>> {
        match format {
            UsageFormat::Json => Ok(None),
            UsageFormat::Csv => {
                let spelling: Spelling =
                    Box::new(move |write: &mut dyn FnMut(&str)| write_csv(&answer, write));
                self.keep_spelled(of, spelling).await.map(Some)
            }
            UsageFormat::Parquet => self.keep_parquet(of, answer).await.map(Some),
        }
    }

    async fn keep_parquet(
        self: &Arc<Self>,
        of: &KeptFor,
        answer: Arc<UsageAnswer>,
    ) -> Result<KeptResult> {
        let failed = |e: io::Error| Error::internal("write a usage result", e);
        let writing: Writing =
            Box::new(move |out: &mut Portions| write_parquet(&answer, out).map_err(failed));
        self.keep_written(of, writing).await
    }

    fn begin_result(self: &Arc<Self>, of: &KeptFor) -> Writer {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let spool = Spool {
            path: format!("{FOLDER}/{id}"),
            rows: 0,
            size_bytes: 0,
            params_hash: hash(&id),
            stood_at: String::new(),
            owner: format!("results of {}", of.owner),
            expires_at: Instant::EPOCH,
            id,
        };
        let (secret, hasher) = (of.secret.clone(), blake3::Hasher::new());
        Writer { inner: Arc::clone(self), spool, secret, hasher, portions: Vec::new() }
    }

    /// The head of a result; none where the result has expired.
    pub(crate) async fn result_head(&self, path: &str) -> Result<Option<Arc<ResultHead>>> {
        let head = head_of(path);
        let failed = || crate::engine_failed("look for a usage result");
        if !self.engine.exists(&head).await.map_err(failed())? {
            return Ok(None);
        }
        let text = self.text_of(&head).await?;
        let head = serde_json::from_str(&text);
        head.map(|head| Some(Arc::new(head))).map_err(|e| Error::internal("read a usage result", e))
    }

    /// Until when a result is kept whose query ends, or that is asked for again, now: so long as
    /// it can be read, and as its callback can take.
    pub(crate) fn results_kept_until(&self, now: Instant) -> Instant {
        let read_s = i64::try_from(self.config.limits.usage_result_seconds).unwrap_or(i64::MAX);
        let tries = i64::from(self.config.callbacks.schedule.attempts());
        now.plus_seconds(read_s.saturating_add(tries.saturating_mul(PAUSE_MOST_S)))
    }

    /// Lets a result live longer.
    pub(crate) async fn prolong_result(&self, path: &str, until: Instant) -> Result<()> {
        let id = path.rsplit_once('/').map_or(path, |(_, id)| id).to_owned();
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            store.keep_spool(&id, until).map_err(crate::stored("hold a usage result"))
        })
        .await
    }

    /// Forgets a result before it expires; one that is gone is passed over.
    pub(crate) async fn forget_result(self: &Arc<Self>, kept: &KeptResult) -> Result<()> {
        let (store, id) = (Arc::clone(&self.store), kept.id.clone());
        let spool = crate::blocking(move || {
            store.spool(&id).map_err(crate::stored("look for a usage result"))
        });
        match spool.await? {
            Some(spool) => self.forget(spool).await,
            None => Ok(()),
        }
    }
}

/// Takes bytes, and gives them away in portions.
struct Portions {
    portion: Vec<u8>,
    give: tokio::sync::mpsc::Sender<Bytes>,
}

impl Portions {
    /// Gives the last portion away, be it empty.
    fn finish(self) {
        // Whoever keeps it may have failed.
        let _ = self.give.blocking_send(self.portion.into());
    }
}

impl Write for Portions {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PORTION_BYTES.saturating_sub(self.portion.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.portion.extend_from_slice(taken);
        if self.portion.len() >= PORTION_BYTES {
            let portion = std::mem::take(&mut self.portion);
            self.give.blocking_send(portion.into()).map_err(io::Error::other)?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A result that is being written. What is not finished expires by itself.
struct Writer {
    inner: Arc<Inner>,
    spool: Spool,
    secret: Option<String>,
    hasher: blake3::Hasher,
    portions: Vec<String>,
}

impl Writer {
    /// Writes a portion: first its row says that it is there.
    async fn push(&mut self, portion: Bytes) -> Result<()> {
        if portion.is_empty() && self.spool.rows > 0 {
            return Ok(());
        }
        let now = self.inner.clocks.system.now();
        let (number, is_first) = (self.spool.rows, self.spool.rows == 0);
        let size_bytes = u64::try_from(portion.len()).unwrap_or(u64::MAX);
        self.spool.rows = number.saturating_add(1);
        self.spool.size_bytes = self.spool.size_bytes.saturating_add(size_bytes);
        self.spool.expires_at = now.plus_seconds(UNFINISHED_S);
        let (store, row) = (Arc::clone(&self.inner.store), self.spool.clone());
        let most_bytes = self.inner.config.limits.usage_result_bytes;
        // How many there are is limited by how many queries there are.
        let limits = SpoolLimits { most: u64::MAX, most_bytes, now };
        let kept = crate::blocking(move || {
            let kept = if is_first {
                store.insert_spool(&row, limits)
            } else {
                store.grow_spool(&row, limits)
            };
            kept.map_err(crate::stored("keep a usage result"))
        });
        match kept.await? {
            SpoolKept::Yes => {}
            SpoolKept::TooMany { until } | SpoolKept::TooLarge { until } => {
                return Err(too_large(most_bytes, until, now));
            }
        }
        self.hasher.update(&portion);
        self.portions.push(blake3::hash(&portion).to_hex().to_string());
        self.put(path_of(&self.spool.path, number), portion).await
    }

    /// Writes the head. The result lives longer only when its query ends.
    async fn finish(self) -> Result<KeptResult> {
        let (size_bytes, hash) = (self.spool.size_bytes, self.hasher.finalize().to_hex());
        let head = ResultHead {
            size_bytes,
            hash: hash.to_string(),
            portions: self.portions.clone(),
            secret: self.secret.clone(),
        };
        let head = serde_json::to_vec(&head);
        let head = head.map_err(|e| Error::internal("write a usage result", e))?;
        self.put(head_of(&self.spool.path), head.into()).await?;
        let (store, id) = (Arc::clone(&self.inner.store), self.spool.id.clone());
        crate::blocking(move || {
            store.spool_written(&id, "kept").map_err(crate::stored("keep a usage result"))
        })
        .await?;
        let Spool { id, path, .. } = self.spool;
        Ok(KeptResult { id, path, size_bytes, hash: hash.to_string() })
    }

    async fn put(&self, path: String, bytes: Bytes) -> Result<()> {
        let put = self.inner.engine.put(&path, bytes).await;
        put.map_err(crate::engine_failed("write a usage result"))
    }
}

fn too_large(most: u64, until: Instant, now: Instant) -> Error {
    let wait_s = until.since(now).checked_div(MICROS_PER_SECOND).unwrap_or(0);
    Error::TooManyKept {
        limit: "bytes of usage results that are kept for one caller",
        most,
        key: "limits.usage_result_bytes",
        retry_after_s: u64::try_from(wait_s).unwrap_or(0).saturating_add(1),
    }
}

/// Names of the columns of files.
fn names(answer: &UsageAnswer) -> impl Iterator<Item = &'static str> {
    answer.columns.iter().map(|column| column.column.name()).chain(MEASURES)
}

/// Writes an answer as RFC 4180 says; what is not available is empty.
fn write_csv(answer: &UsageAnswer, write: &mut dyn FnMut(&str)) {
    let names: Vec<&str> = names(answer).collect();
    write(&format!("{}\r\n", names.join(",")));
    for row in &answer.rows {
        let AnswerRow { keys, unit, unit_price, quantity, total, currency } = row;
        let mut line = String::new();
        for key in keys {
            line.push_str(&key.as_deref().map(in_csv).unwrap_or_default());
            line.push(',');
        }
        let unit_price = unit_price.map(|price| price.to_string()).unwrap_or_default();
        let (unit, currency) = (in_csv(unit), currency.code());
        line.push_str(&format!("{unit},{unit_price},{quantity},{total},{currency}\r\n"));
        write(&line);
    }
}

/// Text as a cell of CSV.
fn in_csv(text: &str) -> String {
    let text = guarded(text);
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Writes an answer as a Parquet file; what is not available is null.
fn write_parquet(answer: &UsageAnswer, out: &mut (impl Write + Send)) -> io::Result<()> {
    let mut columns: Vec<Column> = names(answer).map(Column::text).collect();
    for column in &mut columns {
        if NUMBERS.contains(&column.name.as_str()) {
            *column = Column::number(&column.name);
        }
    }
    let mut file = ParquetFile::begin(&columns, out)?;
    for rows in answer.rows.chunks(ROWS_AT_ONCE) {
        let cells: Vec<Vec<Option<String>>> = rows.iter().map(cells_of).collect();
        file.add(&cells)?;
    }
    file.finish()
}

/// A row as cells of a file.
fn cells_of(row: &AnswerRow) -> Vec<Option<String>> {
    let AnswerRow { keys, unit, unit_price, quantity, total, currency } = row;
    let mut cells = keys.clone();
    cells.push(Some(unit.clone()));
    cells.push(unit_price.map(|price| price.to_string()));
    cells.extend([quantity, total].map(|number| Some(number.to_string())));
    cells.push(Some(currency.code().to_owned()));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage_answers::AnswerColumn;
    use calendar::BillingPeriod;
    use domain::usage_queries::UsageColumn;
    use money::{Currency, Fixed18};

    fn row(keys: [Option<&str>; 2], unit_price: Option<&str>, total: &str) -> AnswerRow {
        let number = |text: &str| Fixed18::parse(text).unwrap();
        AnswerRow {
            keys: keys.into_iter().map(|key| key.map(str::to_owned)).collect(),
            unit: "message".to_owned(),
            unit_price: unit_price.map(number),
            quantity: number("450"),
            total: number(total),
            currency: Currency::parse("EUR").unwrap(),
        }
    }

    fn answer(rows: Vec<AnswerRow>) -> UsageAnswer {
        let columns = [UsageColumn::AccountName, UsageColumn::Sender];
        let column = |column| AnswerColumn { column, is_resolved_name: false };
        let period = Instant::EPOCH..Instant::EPOCH.plus_seconds(86_400);
        UsageAnswer {
            columns: columns.into_iter().map(column).collect(),
            rows,
            requested: period.clone(),
            asked: period,
            months: vec![(BillingPeriod::of(Instant::EPOCH), true)],
            exact: false,
        }
    }

    #[test]
    fn cells_of_csv_are_quoted_and_no_formulas() {
        let check = |text: &str, expected: &str| assert_eq!(in_csv(text), expected);
        check("plain", "plain");
        check("a,b", "\"a,b\"");
        check("say \"so\"", "\"say \"\"so\"\"\"");
        check("two\nlines", "\"two\nlines\"");
        check("=1+2", "'=1+2");
        check("+385,1", "\"'+385,1\"");
        check("", "");
    }

    #[test]
    fn an_answer_is_written_as_csv_with_what_is_not_available_empty() {
        let rows = vec![
            row([Some("Shop, west"), None], Some("0.0089"), "4.01"),
            row([Some("Shop"), Some("+385")], None, "-12"),
        ];
        let mut told = String::new();
        write_csv(&answer(rows), &mut |text| told.push_str(text));
        let expected = "account_name,sender,unit,unit_price,quantity,total,currency\r\n\
                        \"Shop, west\",,message,0.0089,450,4.01,EUR\r\n\
                        Shop,'+385,message,,450,-12,EUR\r\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_row_is_told_in_cells_with_what_is_not_available_null() {
        let check = |row: AnswerRow, expected: [Option<&str>; 7]| {
            let told = cells_of(&row);
            let told: Vec<Option<&str>> = told.iter().map(Option::as_deref).collect();
            assert_eq!(told, expected);
        };
        let end = |price| [Some("message"), price, Some("450"), Some("4.01"), Some("EUR")];
        let [unit, price, quantity, total, currency] = end(None);
        check(
            row([Some("Shop"), None], None, "4.01"),
            [Some("Shop"), None, unit, price, quantity, total, currency],
        );
        let [unit, price, quantity, total, currency] = end(Some("0.0089"));
        check(
            row([None, Some("+385")], Some("0.0089"), "4.01"),
            [None, Some("+385"), unit, price, quantity, total, currency],
        );
    }

    #[test]
    fn an_answer_with_and_without_rows_is_a_file() {
        let rows = vec![row([Some("Shop"), None], None, "4.01")];
        for answer in [answer(rows), answer(Vec::new())] {
            let mut file: Vec<u8> = Vec::new();
            write_parquet(&answer, &mut file).unwrap();
            assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
        }
    }

    #[test]
    fn what_is_written_is_given_away_in_portions_of_one_size() {
        let check = |sizes: &[usize], expected: &[usize]| {
            let (give, mut given) = tokio::sync::mpsc::channel(16);
            let mut portions = Portions { portion: Vec::new(), give };
            for size in sizes {
                portions.write_all(&vec![7; *size]).unwrap();
            }
            portions.finish();
            let mut told = Vec::new();
            while let Ok(portion) = given.try_recv() {
                told.push(portion.len());
            }
            assert_eq!(told, expected, "{sizes:?}");
        };
        check(&[], &[0]);
        check(&[3, 4], &[7]);
        check(&[PORTION_BYTES], &[PORTION_BYTES, 0]);
        check(&[1, 2 * PORTION_BYTES + 1], &[PORTION_BYTES, PORTION_BYTES, 2]);
    }
}
