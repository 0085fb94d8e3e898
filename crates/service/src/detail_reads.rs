//! Reading data sets: who may read which of their details, and how they are walked over.
//!
//! A walk goes through page files of one data set after the other and holds one file in memory. A
//! token names the data set and the place in it, sealed for one caller and question; what lies
//! before the place is told, and nothing else, so none is lost and none told twice.

use crate::data_sets::SetRead;
use crate::kept_details::told;
use crate::told_lines::Named;
use crate::usage_details::{DataSet, DetailPage, DetailSpan, DetailTold, DetailsAsked, PeriodTold};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope, Sight};
use domain::ids::BillingAccountId;
use domain::places::{Level, Place};
use domain::{Error, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// How the place of a page is asked for.
const TOKEN: &str = "$skiptoken";
/// What tokens are sealed for.
const SEALED_FOR: &str = "reckoner 2026 tokens of data sets";

/// Details, one page file after the other.
pub struct DetailStream {
    walk: Walk,
}

impl DetailStream {
    /// Whether the caller sees what details cost.
    pub fn shows_charges(&self) -> bool {
        self.walk.test.shows_charges
    }

    /// The next details, at most `limits.page_rows`; may be none of a page file; nothing after
    /// the last.
    ///
    /// Errors: as [`Reckoner::details_page`].
    #[boxed]
    pub async fn next(&mut self) -> Result<Option<Vec<DetailTold>>> {
        let file = self.walk.next_file().await?;
        // Whoever reads slowly reads to the end.
        let inner = Arc::clone(&self.walk.inner);
        if let Some(set) = self.walk.set.as_mut() {
            inner.hold_set(set).await?;
        }
        Ok(file.map(|details| details.into_iter().map(|(_, detail)| detail).collect()))
    }
}

impl Reckoner {
    /// The data set of a billing period, made anew if one is due; none where there is nothing of
    /// the account in the period, or it has not begun. Data sets of places are those of their
    /// account.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] naming what keeps an
    /// open billing period from being drafted; [`Error::Unavailable`] while the books keep
    /// changing.
    #[boxed]
    pub async fn data_set(
        &self,
        caller: &Caller,
        scope: &Scope,
        period: BillingPeriod,
    ) -> Result<Option<DataSet>> {
        let reader = self.reader(caller, scope)?;
        if self.now() < period.start() {
            return Ok(None);
        }
        let set = self.0.current_set(&reader.account, period).await?;
        let balance = set.told.balance.clone().filter(|_| reader.sees_balance);
        Ok((!set.is_empty()).then_some(DataSet { balance, ..set.told }))
    }

    /// At most so many details, from the beginning or where a token says; of none, the token says
    /// where they begin. Later pages come from the data set that the first was read of; the right
    /// is asked for at each. A token holds for `limits.page_seconds`.
    ///
    /// Errors: as [`Reckoner::data_set`]; [`Error::Invalid`] naming `$skiptoken` for a token of
    /// another caller or question, or too old.
    #[boxed]
    pub async fn details_page(
        &self,
        caller: &Caller,
        asked: &DetailsAsked,
        token: Option<&str>,
        most: usize,
    ) -> Result<DetailPage> {
        let (mut walk, seal) = self.walk(caller, asked)?;
        let mut skipped = match token {
            Some(token) => walk.go_to(&seal.open(token).ok_or_else(wrong)?).await?,
            None => 0,
        };
        let (mut details, mut next) = (Vec::new(), None);
        while next.is_none()
            && let Some(file) = walk.next_file().await?
        {
            for (row, detail) in file.into_iter().filter(|(row, _)| *row >= skipped) {
                if details.len() >= most {
                    next = walk.place(row);
                    break;
                }
                details.push(detail);
            }
            skipped = 0;
        }
        if let Some(set) = walk.set.as_mut().filter(|_| next.is_some()) {
            self.0.hold_set(set).await?;
        }
        Ok(DetailPage {
            details,
            next: next.map(|place| seal.close(&place)),
            shows_charges: walk.test.shows_charges,
            data_sets: walk.read,
        })
    }

    /// All details, to be written somewhere as they are read.
    ///
    /// Errors: as [`Reckoner::details_page`].
    #[boxed]
    pub async fn details_stream(
        &self,
        caller: &Caller,
        asked: &DetailsAsked,
    ) -> Result<DetailStream> {
        let (walk, _) = self.walk(caller, asked)?;
        Ok(DetailStream { walk })
    }

    /// The billing periods of which there is anything to read at a place, newest first.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn periods_with_data(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Vec<PeriodTold>> {
        let Reader { account, sees_balance, sees_prices, .. } = self.reader(caller, scope)?;
        let mut told = self.0.periods_of(&account).await?;
        for period in &mut told {
            period.has_balance = period.has_balance && sees_balance;
            period.has_prices = period.has_prices && sees_prices;
        }
        Ok(told)
    }

    /// What a caller may read of a place.
    fn reader(&self, caller: &Caller, scope: &Scope) -> Result<Reader> {
        let look = self.look();
        let view = look.view(caller);
        let sees_charges = view.may(Action::ReadCharges, scope);
        // Who manages a part of an enrollment reads what was used there, though a policy may hide
        // what it cost.
        let manages = is_branch(scope) && view.sight(scope) == Some(Sight::Full);
        if !sees_charges && !manages && !view.may(Action::ReadUsage, scope) {
            return Err(match view.sight(scope) {
                Some(_) => Error::Forbidden { action: Action::ReadUsage.name() },
                None => scope.missing(Action::ReadUsage),
            });
        }
        let account = match scope {
            Scope::Account(account) => account.clone(),
            Scope::Place(place) if place.key.level != Level::MessagingAccount => {
                place.billing_account.clone()
            }
            Scope::Subscription(id) => {
                let placements = look.company.subscriptions.get(id).map(|one| &one.placements);
                let missing = || Error::not_found("subscription", id.as_str());
                let placements = placements.ok_or_else(missing)?;
                let mut until_now = placements.iter().rev();
                let payer = until_now.find(|one| one.during.start() <= look.now);
                payer.ok_or_else(missing)?.billing_account.clone()
            }
            Scope::Installation | Scope::Product(_) | Scope::Place(_) => {
                let problem = "must be a billing account, a subscription, or a place where some \
                               stand";
                return Err(Error::invalid("scope", problem));
            }
        };
        let is_whole = matches!(scope, Scope::Account(_));
        Ok(Reader {
            account,
            sees_charges,
            sees_balance: is_whole && view.may(Action::ReadBalance, scope),
            sees_prices: is_whole && view.may(Action::ReadPriceSheet, scope),
        })
    }

    fn walk(&self, caller: &Caller, asked: &DetailsAsked) -> Result<(Walk, Seal)> {
        let Reader { account, sees_charges, .. } = self.reader(caller, &asked.scope)?;
        let DetailsAsked { scope, span, kinds, filter } = asked;
        let filtered = filter.as_ref().map(|filter| filter.asked.as_str());
        let question = format!("{scope:?} {span:?} {kinds:?} {filtered:?}");
        let walk = Walk {
            inner: Arc::clone(&self.0),
            account,
            periods: periods(span, self.now()),
            test: Test { asked: asked.clone(), shows_charges: sees_charges },
            set: None,
            file: 0,
            read: Vec::new(),
        };
        let key = self.sealing_secret(SEALED_FOR);
        Ok((walk, Seal { key, owner: caller.actor(), question }))
    }
}

/// A token that is wrong is refused in one way, whatever is wrong with it.
fn wrong() -> Error {
    Error::invalid(TOKEN, "is not a token that this service gave out, or is too old")
}

/// Parts of an enrollment, whose managers a policy may keep from charges.
fn is_branch(scope: &Scope) -> bool {
    let Scope::Place(Place { key, .. }) = scope else { return false };
    matches!(key.level, Level::Department | Level::EnrollmentAccount)
}

/// The billing periods of a span that have begun, oldest first.
pub(crate) fn periods(span: &DetailSpan, now: Instant) -> VecDeque<BillingPeriod> {
    let days = match span {
        DetailSpan::Period(period) => {
            return (period.start() <= now).then_some(*period).into_iter().collect();
        }
        DetailSpan::Days(days) => days,
    };
    let first = BillingPeriod::of(days.start.start());
    let all = std::iter::successors(Some(first), |period| Some(period.next()));
    let wanted = |period: &BillingPeriod| period.start() <= now && period.start().day() < days.end;
    if days.start < days.end { all.take_while(wanted).collect() } else { VecDeque::new() }
}

/// What a caller may read of a place.
struct Reader {
    /// Whose data sets it reads.
    account: BillingAccountId,
    sees_charges: bool,
    sees_balance: bool,
    sees_prices: bool,
}

/// Which details are told, and what of them.
struct Test {
    asked: DetailsAsked,
    shows_charges: bool,
}

impl Test {
    /// A detail as the caller sees it; none if it is not asked for.
    fn seen(&self, mut detail: DetailTold) -> Option<DetailTold> {
        let DetailsAsked { scope, span, kinds, filter } = &self.asked;
        let is_in_span = match span {
            DetailSpan::Period(_) => true,
            DetailSpan::Days(days) => days.contains(&detail.day),
        };
        let is_of_kind = kinds.is_empty() || kinds.contains(&detail.kind);
        if !is_in_span || !is_of_kind || !is_at(&detail, scope) {
            return None;
        }
        detail.cost = detail.cost.filter(|_| self.shows_charges);
        let keeps = filter.as_ref().is_none_or(|filter| (filter.keeps)(&detail));
        keeps.then_some(detail)
    }
}

/// Whether what a detail is for stood at a place at that moment, or below.
fn is_at(detail: &DetailTold, scope: &Scope) -> bool {
    let is = |named: &Option<Named>, id: &str| named.as_ref().is_some_and(|one| one.id == id);
    match scope {
        Scope::Account(_) => true,
        Scope::Subscription(id) => is(&detail.subscription, id.as_str()),
        Scope::Place(Place { key, .. }) => {
            let of_level = match key.level {
                Level::BillingProfile => &detail.profile,
                Level::InvoiceSection => &detail.section,
                Level::Customer => &detail.customer,
                Level::Department => &detail.department,
                Level::EnrollmentAccount => &detail.enrollment_account,
                Level::MessagingAccount => return false,
            };
            is(of_level, key.id.as_str())
        }
        Scope::Installation | Scope::Product(_) => false,
    }
}

/// A walk over the details of one data set after the other.
struct Walk {
    inner: Arc<Inner>,
    account: BillingAccountId,
    /// Those that are still to be walked over, the present one first.
    periods: VecDeque<BillingPeriod>,
    test: Test,
    /// The data set of the present one, once it is read.
    set: Option<SetRead>,
    /// The page file that is read next.
    file: u64,
    /// The data sets that were read of.
    read: Vec<DataSet>,
}

/// Where a walk goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    /// The id of a data set's pages.
    set: String,
    period: BillingPeriod,
    file: u64,
    row: u64,
}

impl Walk {
    /// The details of the next page file that are asked for, each with its row there; nothing
    /// behind the last file.
    async fn next_file(&mut self) -> Result<Option<Vec<(u64, DetailTold)>>> {
        loop {
            let Some(period) = self.periods.front().copied() else { return Ok(None) };
            let set = match self.set.take() {
                Some(set) => set,
                None => self.inner.current_set(&self.account, period).await?,
            };
            if self.read.last().is_none_or(|last| last.period != period) {
                self.read.push(DataSet { balance: None, ..set.told.clone() });
            }
            let (spool, file) = (set.spool.clone(), self.file);
            // One without details has a file without lines.
            if set.told.rows == 0 || file >= spool.rows {
                self.periods.pop_front();
                self.file = 0;
                continue;
            }
            self.set = Some(set);
            self.file = file.saturating_add(1);
            let lines = self.inner.lines_of(&spool, file).await?;
            let mut details = Vec::new();
            for (row, line) in (0..).zip(&lines) {
                let detail = told(line, &self.account, period)?;
                details.extend(self.test.seen(detail).map(|detail| (row, detail)));
            }
            return Ok(Some(details));
        }
    }

    /// Where a row of the file that was read last is.
    fn place(&self, row: u64) -> Option<Spot> {
        let (set, period) = (self.set.as_ref()?, *self.periods.front()?);
        Some(Spot { set: set.spool.id.clone(), period, file: self.file.checked_sub(1)?, row })
    }

    /// Goes on where a page ended; gives the row of the next file to begin with.
    async fn go_to(&mut self, spot: &Spot) -> Result<u64> {
        while self.periods.front().is_some_and(|period| *period != spot.period) {
            self.periods.pop_front();
        }
        let set = self.inner.set_by_id(&spot.set, &self.account, spot.period).await?;
        self.set = Some(set.ok_or_else(wrong)?);
        self.file = spot.file;
        Ok(spot.row)
    }
}

/// Seals the tokens of one caller and question.
struct Seal {
    key: [u8; 32],
    owner: String,
    question: String,
}

impl Seal {
    fn close(&self, spot: &Spot) -> String {
        let Spot { set, period, file, row } = spot;
        let text = format!("{set}.{}.{file}.{row}", period.number());
        format!("{text}.{}", self.mark(&text).to_hex())
    }

    /// What a token says; none if it is another's, or was never given out.
    fn open(&self, token: &str) -> Option<Spot> {
        let (text, mark) = token.rsplit_once('.')?;
        if self.mark(text) != blake3::Hash::from_hex(mark).ok()? {
            return None;
        }
        let mut parts = text.split('.');
        let mut next = || parts.next();
        Some(Spot {
            set: next()?.to_owned(),
            period: BillingPeriod::from_number(next()?.parse().ok()?).ok()?,
            file: next()?.parse().ok()?,
            row: next()?.parse().ok()?,
        })
    }

    fn mark(&self, text: &str) -> blake3::Hash {
        let mut hash = blake3::Hasher::new_keyed(&self.key);
        for part in [text, self.owner.as_str(), self.question.as_str()] {
            hash.update(part.as_bytes()).update(&[0]);
        }
        hash.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> calendar::Day {
        Instant::parse(text).unwrap().day()
    }

    #[test]
    fn a_token_is_good_for_one_caller_and_question() {
        let seal = |owner: &str, question: &str| Seal {
            key: [7; 32],
            owner: owner.to_owned(),
            question: question.to_owned(),
        };
        let spot = Spot {
            set: "0".repeat(32),
            period: BillingPeriod::parse("2026-05").unwrap(),
            file: 12,
            row: 345,
        };
        let token = seal("ada", "all").close(&spot);
        assert_eq!(seal("ada", "all").open(&token), Some(spot));
        assert_eq!(seal("eve", "all").open(&token), None);
        assert_eq!(seal("ada", "some").open(&token), None);
        assert_eq!(Seal { key: [8; 32], ..seal("ada", "all") }.open(&token), None);
        assert_eq!(seal("ada", "all").open(&token.replace(".345.", ".346.")), None);
        for other in ["", ".", "a.b", &token[1..], &token[..token.len() - 1]] {
            assert_eq!(seal("ada", "all").open(other), None, "{other}");
        }
    }

    #[test]
    fn a_span_has_the_billing_periods_that_have_begun() {
        let check = |span: DetailSpan, expected: &[&str]| {
            let now = Instant::parse("2026-05-20").unwrap();
            let found: Vec<String> = periods(&span, now).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{span:?}");
        };
        let period = |text| DetailSpan::Period(BillingPeriod::parse(text).unwrap());
        let days = |from, until| DetailSpan::Days(day(from)..day(until));
        check(period("2026-05"), &["2026-05"]);
        check(period("2026-06"), &[]);
        check(days("2026-03-31", "2026-05-01"), &["2026-03", "2026-04"]);
        check(days("2026-03-31", "2026-05-02"), &["2026-03", "2026-04", "2026-05"]);
        check(days("2026-05-31", "2026-08-01"), &["2026-05"]);
        check(days("2026-05-02", "2026-05-02"), &[]);
        check(days("2026-05-02", "2026-04-02"), &[]);
    }
}
