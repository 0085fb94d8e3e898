//! Lines of invoices one by one, at a billing account or a place in it: of those that stand, and of
//! the drafts of what no close has billed yet. And those of one invoice, whether it stands or not.
//!
//! The lines of an invoice keep their exact sums, so that with its rounding rows they are what was
//! booked. An answer longer than a page is pinned: see `pages`.

use crate::account_closes::{is_of_the_account, keeps_changing, with_causes};
use crate::bookings::{ATTEMPTS_MOST, balances_of};
use crate::invoices_at::InvoicesOf;
use crate::kept_lines::{Lines, Written, told};
use crate::pages::{PageToken, Pin};
use crate::structure::Look;
use crate::told_lines::{
    DRAFT, DRAFT_DIGITS, InvoiceLineKind, InvoiceLineTold, InvoiceLineType, Telling,
};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day, Instant};
use domain::access::{Action, Caller, Scope};
use domain::closes::Part;
use domain::ids::BillingAccountId;
use domain::invoice::Invoice;
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place, PlaceKey};
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// How the place of a page is asked for.
const TOKEN: &str = "$skiptoken";

/// Which lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLinesAsked {
    /// Those that count on these days, half-open: [`InvoiceLineTold::day`].
    pub days: Range<Day>,
    /// For what.
    pub kinds: BTreeSet<InvoiceLineKind>,
    /// For what was used, or bought.
    pub types: BTreeSet<InvoiceLineType>,
}

/// Some lines, and where to go on.
#[derive(Debug, Clone)]
pub struct InvoiceLinePage {
    /// The lines, in the order of invoices and of their lines; drafts last.
    pub lines: Vec<InvoiceLineTold>,
    /// How many the whole answer has.
    pub total: u64,
    /// A token for the next page, if there is one.
    pub next: Option<String>,
}

impl Reckoner {
    /// Lists lines at a billing account or a place in it, in pages. Later ones come from the
    /// answer as it was when the first was asked for; the right is asked for at each.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] naming what keeps an
    /// open billing period from being drafted; [`Error::Invalid`] for a token of another question.
    #[boxed]
    pub async fn invoice_lines(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &InvoiceLinesAsked,
        token: Option<&str>,
    ) -> Result<InvoiceLinePage> {
        let look = self.demand_in_sight(caller, Action::ReadCharges, scope)?;
        let wanted = Wanted::of(scope, asked)?;
        let (owner, question) = (caller.actor(), format!("{wanted:?}"));
        if let Some(token) = token {
            return self.line_page(&PageToken::parse(TOKEN, token)?, &owner, &question).await;
        }
        let ledger = self.0.ledger_of(&wanted.account).await?;
        // Before the lines are read: they may be newer than this says, never older.
        let mut stood_at = self.0.usage_stands_at(&wanted.account);
        stood_at.push_str(&format!("{} {}", ledger.version, look.names_stand_at(&wanted.account)));
        let pin = Pin { owner, asked: question, stood_at: hashed(&stood_at) };
        if let Some(id) = self.0.pinned(&pin).await? {
            return self.line_page(&PageToken { id, page: 0 }, &pin.owner, &pin.asked).await;
        }
        let (this, look, wanted) = (self.clone(), Arc::new(look), Arc::new(wanted));
        let (asked, owner) = (pin.asked.clone(), pin.owner.clone());
        // Goes on when the caller goes away, so that the answer is there when they come back.
        let written = tokio::spawn(async move {
            let lines = this.collected(&look, &wanted, Some(&pin)).await?;
            lines.page(this.limits().page_rows).await
        });
        let written = written.await.map_err(|e| Error::internal("pin an answer", e))??;
        self.first_page(written, &owner, &asked).await
    }

    /// The same lines, whole.
    ///
    /// Errors: as [`Reckoner::invoice_lines`]; [`Error::TooMuch`].
    #[boxed]
    pub async fn all_invoice_lines(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &InvoiceLinesAsked,
    ) -> Result<Vec<InvoiceLineTold>> {
        let look = self.demand_in_sight(caller, Action::ReadCharges, scope)?;
        let (look, wanted) = (Arc::new(look), Arc::new(Wanted::of(scope, asked)?));
        match self.collected(&look, &wanted, None).await? {
            Lines::Whole(lines, _) => Ok(lines),
            Lines::Pinned(_) => Err(Error::internal("list lines", "they were pinned")),
        }
    }

    /// Lists the lines of an invoice by its number, in pages: of one of those that the caller reads
    /// of somebody.
    ///
    /// Errors: as [`Reckoner::invoices_of`]; [`Error::NotFound`] for an invoice that is not among
    /// them; [`Error::Invalid`] for a token of another question.
    #[boxed]
    pub async fn lines_of_invoice(
        &self,
        caller: &Caller,
        of: &InvoicesOf,
        number: &str,
        token: Option<&str>,
    ) -> Result<InvoiceLinePage> {
        let found = DocumentNumber::parse(number).ok();
        // Whether they read any at all is asked first.
        let read = self.reads_documents(caller, of, found.as_slice()).await?;
        let missing = || Error::not_found("invoice", number);
        let found = found.filter(|_| read == [true]).ok_or_else(missing)?;
        let (look, account) = (self.look(), of.payer());
        let (owner, question) = (caller.actor(), format!("lines of {account} {found}"));
        if let Some(token) = token {
            return self.line_page(&PageToken::parse(TOKEN, token)?, &owner, &question).await;
        }
        let stood_at = hashed(&look.names_stand_at(account));
        let pin = Pin { owner, asked: question, stood_at };
        if let Some(id) = self.0.pinned(&pin).await? {
            return self.line_page(&PageToken { id, page: 0 }, &pin.owner, &pin.asked).await;
        }
        let invoice = self.0.issued_invoice(account, &found).await?.ok_or_else(missing)?;
        let (owner, asked) = (pin.owner.clone(), pin.asked.clone());
        let mut lines = Lines::Pinned(self.0.begin(&pin));
        self.take_lines(&mut lines, &Arc::new(look), None, (Some(found), invoice)).await?;
        let written = lines.page(self.limits().page_rows).await?;
        self.first_page(written, &owner, &asked).await
    }

    /// The line of a name that counts on one of some days, of a billing profile.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] as
    /// [`Reckoner::invoice_lines`], for a line of a draft.
    #[boxed]
    pub async fn invoice_line(
        &self,
        caller: &Caller,
        profile: &Place,
        name: &str,
        days: &Range<Day>,
    ) -> Result<InvoiceLineTold> {
        let scope = Scope::Place(profile.clone());
        let look = self.demand_in_sight(caller, Action::ReadCharges, &scope)?;
        let account = &profile.billing_account;
        let found = match issued_name(name) {
            Some((number, line)) => {
                let invoice = self.0.issued_invoice(account, &number).await?;
                let invoice = invoice.as_ref();
                let found = invoice.and_then(|one| Some((one, one.line(line).ok()?)));
                let told = found.map(|(one, line)| {
                    let telling = Telling::of(&look, one, Some(&number));
                    telling.line(line)
                });
                told.transpose()?
            }
            None if is_draft_name(name) => self.drafted_line(&look, account, (name, days)).await?,
            None => None,
        };
        let is_own = |told: &InvoiceLineTold| {
            let own = told.profile.as_ref().is_some_and(|own| own.id == profile.key.id.as_str());
            own && days.contains(&told.day)
        };
        found.filter(is_own).ok_or_else(|| Error::not_found("invoice line", name))
    }
}

impl Reckoner {
    /// The lines that are wanted, as they stand at one version of the ledger: else one that is
    /// billed meanwhile could be in them twice, or not at all. They are pinned as they come, or
    /// kept whole.
    async fn collected(
        &self,
        look: &Arc<Look>,
        wanted: &Arc<Wanted>,
        pin: Option<&Pin>,
    ) -> Result<Lines> {
        for _ in 0..ATTEMPTS_MOST {
            let before = self.0.ledger_of(&wanted.account).await?.version;
            let mut lines = match pin {
                Some(pin) => Lines::Pinned(self.0.begin(pin)),
                None => Lines::Whole(Vec::new(), self.limits().answer_rows),
            };
            let collected = self.collect_once(look, wanted, &mut lines).await;
            if self.0.ledger_of(&wanted.account).await?.version == before {
                return collected.map(|()| lines);
            }
        }
        Err(keeps_changing(&wanted.account))
    }

    /// Reads one invoice at a time, until there are too many lines.
    async fn collect_once(
        &self,
        look: &Arc<Look>,
        wanted: &Arc<Wanted>,
        lines: &mut Lines,
    ) -> Result<()> {
        let account = &wanted.account;
        let is_wanted = |period, part: &Part| wanted.can_be_of(period, part);
        for number in self.0.standing_invoices(account, is_wanted).await? {
            let found = self.0.issued_invoice(account, &number).await?;
            let missing = || Error::not_found("document", number.to_string());
            let invoice = (Some(number.clone()), found.ok_or_else(missing)?);
            self.take_lines(lines, look, Some(wanted), invoice).await?;
        }
        for invoice in self.invoices_to_come(account, look.now, &wanted.asked.days).await? {
            self.take_lines(lines, look, Some(wanted), (None, invoice)).await?;
        }
        Ok(())
    }

    /// Adds those of an invoice's lines that are wanted, or all; a page of them is told at a time.
    async fn take_lines(
        &self,
        lines: &mut Lines,
        look: &Arc<Look>,
        wanted: Option<&Arc<Wanted>>,
        (number, invoice): (Option<DocumentNumber>, Invoice),
    ) -> Result<()> {
        let page_rows = usize::try_from(self.limits().page_rows.max(1)).unwrap_or(usize::MAX);
        let (pages, invoice) = (invoice.lines.len().div_ceil(page_rows), Arc::new(invoice));
        for page in 0..pages {
            let (look, wanted) = (Arc::clone(look), wanted.cloned());
            let (number, invoice) = (number.clone(), Arc::clone(&invoice));
            let told = crate::blocking(move || {
                let telling = Telling::of(&look, &invoice, number.as_ref());
                let of_page = invoice.lines.chunks(page_rows).nth(page).unwrap_or_default();
                let mut told = Vec::with_capacity(of_page.len());
                for line in of_page {
                    let line = telling.line(line)?;
                    if wanted.as_ref().is_none_or(|wanted| wanted.holds(&line)) {
                        told.push(line);
                    }
                }
                Ok(told)
            });
            lines.take(told.await?).await?;
        }
        Ok(())
    }

    /// The line of a draft by its name.
    async fn drafted_line(
        &self,
        look: &Look,
        account: &BillingAccountId,
        (name, days): (&str, &Range<Day>),
    ) -> Result<Option<InvoiceLineTold>> {
        for invoice in self.invoices_to_come(account, look.now, days).await? {
            let telling = Telling::of(look, &invoice, None);
            for line in &invoice.lines {
                let told = telling.line(line)?;
                if told.name == name {
                    return Ok(Some(told));
                }
            }
        }
        Ok(None)
    }

    /// The drafts of an account's open billing periods that share a day with some, as their closes
    /// would come to one after the other.
    ///
    /// Errors: [`Error::Conflict`] naming what keeps one from being drafted.
    async fn invoices_to_come(
        &self,
        account: &BillingAccountId,
        at: Instant,
        days: &Range<Day>,
    ) -> Result<Vec<Invoice>> {
        let closed = self.0.closed_numbers(account).await?;
        let mut open = self.0.open_periods(&closed, BillingPeriod::of(at), at);
        open.retain(|period| period.start().day() < days.end);
        if !open.iter().any(|period| overlaps(*period, days)) {
            return Ok(Vec::new());
        }
        let declared = self.0.refresh_declared().await?;
        let before = balances_of(&self.0.ledger_of(account).await?)?;
        let granted = self.0.granted_in(account, declared.company.lots_of(account)).await?;
        let granted = (&before, granted.into_keys().collect());
        let drafts = self.0.open_usage(&declared, account, granted, &open, at).await;
        let drafts = drafts.map_err(|error| not_drafted(account, error))?;
        let asked = drafts.into_iter().filter(|draft| overlaps(draft.period, days));
        Ok(asked.flat_map(|draft| draft.billed.invoices).collect())
    }

    /// The first page of an answer.
    async fn first_page(
        &self,
        written: Written,
        owner: &str,
        question: &str,
    ) -> Result<InvoiceLinePage> {
        match written {
            Written::Whole(lines) => page_of(&lines, lines.len() as u64, None),
            Written::Pinned(id) => {
                self.line_page(&PageToken { id, page: 0 }, owner, question).await
            }
        }
    }

    async fn line_page(
        &self,
        token: &PageToken,
        owner: &str,
        question: &str,
    ) -> Result<InvoiceLinePage> {
        let page = self.0.page(TOKEN, token, owner, question).await?;
        let total = self.0.head_of(&page.row).await?;
        let total = total.parse::<u64>().map_err(|e| Error::internal("read a page", e))?;
        page_of(&page.lines, total, page.next)
    }
}

impl Inner {
    /// The facts, and the usage in the cells that can hold any of an account's.
    pub(crate) fn usage_stands_at(&self, account: &BillingAccountId) -> String {
        let bucket = self.bucket_of(account);
        let mut stood_at = format!("{} ", self.declared().version());
        for (key, cell) in self.cells.all() {
            if key.bucket == bucket {
                let end = cell.state().end_sequence();
                stood_at.push_str(&format!("{}:{end} ", key.period));
            }
        }
        stood_at
    }
}

impl Look {
    /// What lines say beside what was billed: facts, and names of places, which change with time.
    fn names_stand_at(&self, account: &BillingAccountId) -> String {
        let mut names = format!("{} {}", self.company.version, BillingPeriod::of(self.now));
        let known = self.company.places.of(account).map(|known| &known.places);
        for (key, timeline) in known.into_iter().flatten() {
            let name = timeline.at(self.now).map(|facts| facts.name.as_str());
            names.push_str(&format!(" {key:?} {name:?}"));
        }
        names
    }
}

/// The lines of an account that are wanted.
#[derive(Debug)]
struct Wanted {
    account: BillingAccountId,
    place: Option<PlaceKey>,
    asked: InvoiceLinesAsked,
}

impl Wanted {
    fn of(scope: &Scope, asked: &InvoiceLinesAsked) -> Result<Wanted> {
        let (account, place) = match scope {
            Scope::Account(account) => (account.clone(), None),
            Scope::Place(Place { billing_account, key }) => {
                (billing_account.clone(), Some(key.clone()))
            }
            Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => {
                return Err(Error::invalid("scope", "must be a billing account or a place in it"));
            }
        };
        Ok(Wanted { account, place, asked: asked.clone() })
    }

    /// Whether an invoice can have such lines.
    fn can_be_of(&self, period: BillingPeriod, part: &Part) -> bool {
        let is_own = self.place.as_ref().is_none_or(|PlaceKey { level, id }| {
            *level != Level::BillingProfile || part.profile() == Some(id.as_str())
        });
        is_own && overlaps(period, &self.asked.days)
    }

    fn holds(&self, told: &InvoiceLineTold) -> bool {
        let InvoiceLinesAsked { days, kinds, types } = &self.asked;
        let is_there = self.place.as_ref().is_none_or(|PlaceKey { level, id }| {
            let own = match level {
                Level::BillingProfile => told.profile.as_ref(),
                Level::InvoiceSection => told.section.as_ref(),
                Level::Customer => told.customer.as_ref(),
                Level::Department | Level::EnrollmentAccount | Level::MessagingAccount => None,
            };
            own.is_some_and(|own| own.id == id.as_str())
        });
        is_there
            && days.contains(&told.day)
            && kinds.contains(&told.kind())
            && types.contains(&told.line_type())
    }
}

/// A page of lines, as they are kept, of so many in all.
fn page_of(lines: &[String], total: u64, next: Option<PageToken>) -> Result<InvoiceLinePage> {
    let lines = lines.iter().map(|line| told(line)).collect::<Result<_>>()?;
    Ok(InvoiceLinePage { lines, total, next: next.map(|token| token.to_string()) })
}

/// The number and line that a name stands for, as it is written.
fn issued_name(name: &str) -> Option<(DocumentNumber, u32)> {
    let (number, line) = name.rsplit_once('-')?;
    let found = (DocumentNumber::parse(number).ok()?, line.parse::<u32>().ok()?);
    (format!("{}-{}", found.0, found.1) == name).then_some(found)
}

fn is_draft_name(name: &str) -> bool {
    name.strip_prefix(DRAFT).is_some_and(|digits| {
        digits.len() == DRAFT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

pub(crate) fn not_drafted(account: &BillingAccountId, error: Error) -> Error {
    if !is_of_the_account(&error) {
        return error;
    }
    let (key, problem) = (account.to_string(), with_causes(&error));
    Error::Conflict { what: "drafts", key, problem }
}

pub(crate) fn overlaps(period: BillingPeriod, days: &Range<Day>) -> bool {
    period.start().day() < days.end && days.start < period.end().day()
}

fn hashed(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_line() {
        let check = |name: &str, expected: Option<(&str, u32)>| {
            let found = issued_name(name).map(|(number, line)| (number.to_string(), line));
            let expected = expected.map(|(number, line)| (number.to_owned(), line));
            assert_eq!(found, expected, "{name}");
        };
        check("RKC-00000007-12", Some(("RKC-00000007", 12)));
        check("north-west-00000007-1", Some(("north-west-00000007", 1)));
        check("north-1-00000007", None); // line 7 of north-00000001 is written otherwise
        check("RKC-7-12", None);
        check("RKC-00000007-012", None);
        check("RKC-00000007", None);
        check("nothing-here", None);
        check(&format!("{DRAFT}{}", "0".repeat(DRAFT_DIGITS)), None);
    }

    #[test]
    fn days_and_billing_periods_share_a_day_or_none() {
        let check = |from: &str, until: &str, expected: bool| {
            let day = |text: &str| calendar::Instant::parse(text).unwrap().day();
            let period = BillingPeriod::parse("2026-03").unwrap();
            assert_eq!(overlaps(period, &(day(from)..day(until))), expected, "{from} {until}");
        };
        check("2026-02-01", "2026-03-01", false);
        check("2026-02-01", "2026-03-02", true);
        check("2026-03-31", "2026-04-01", true);
        check("2026-04-01", "2026-05-01", false);
        check("2026-01-01", "2027-01-01", true);
    }
}
