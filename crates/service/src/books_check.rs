//! Whether the books are what was booked: documents, ledgers, and closed periods computed again.

use crate::Inner;
use crate::account_usage::digest_of;
use crate::bookings::balances_of;
use crate::cells::CellKey;
use crate::chain::{Member, members, statement};
use crate::closes::period_of;
use crate::documents::{EVERY, INVOICE, number_of};
use crate::notes_check::Papers;
use calendar::BillingPeriod;
use domain::chain::{Closed, Digest, Link, LinkVersion, Statement, decode_link, entries_digest};
use domain::closes::{Charges, Payer};
use domain::encoding::books::{decode_entry, decode_invoice, encode_entry, purpose_key};
use domain::ids::BillingAccountId;
use domain::invoice::{Invoice, LineSums};
use domain::ledger::{Balances, Entry};
use domain::rated::RatedRow;
use domain::{Error, Result, numbering};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{AccountClose, CloseRow, CloseState, DocumentFilter, DocumentRow, EntryRow, LinkRow};

/// What checking the books found.
#[derive(Default)]
pub(crate) struct BooksChecked {
    /// Ledger entries that were read.
    pub(crate) entries: u64,
    /// Documents whose bytes are what was issued.
    pub(crate) documents: u64,
    /// Closes of accounts that were computed again.
    pub(crate) closes: u64,
    /// The head behind each link, oldest first.
    pub(crate) heads: Vec<Digest>,
    /// What does not hold.
    pub(crate) problems: Vec<String>,
    /// What closed periods are short of, and no invoice has corrected yet.
    pub(crate) notes: Vec<String>,
}

/// Everything that the books hold of closed periods.
struct Kept {
    documents: Vec<DocumentRow>,
    links: Vec<LinkRow>,
    closes: BTreeMap<i32, Vec<CloseRow>>,
    ledgers: Vec<String>,
}

/// What the books hold of one account.
#[derive(Default)]
pub(crate) struct KeptOf<'a> {
    pub(crate) documents: Vec<&'a DocumentRow>,
    /// The billing periods that are closed for it, as numbers, oldest first.
    pub(crate) closed: Vec<i32>,
}

impl Kept {
    /// By account.
    fn by_account(&self) -> BTreeMap<&str, KeptOf<'_>> {
        let mut all: BTreeMap<&str, KeptOf<'_>> = BTreeMap::new();
        for row in &self.documents {
            all.entry(&row.billing_account).or_default().documents.push(row);
        }
        for (period, rows) in &self.closes {
            for (account, _) in rows.iter().filter_map(closed) {
                all.entry(account).or_default().closed.push(*period);
            }
        }
        all
    }
}

impl Inner {
    /// Checks documents, ledgers and the chain, and computes closed periods again.
    pub(crate) async fn check_books(self: &Arc<Self>) -> Result<BooksChecked> {
        let mut checked = BooksChecked::default();
        let kept = self.kept().await?;
        let mut papers = check_documents(&kept.documents, &mut checked);
        papers.check_notes(&kept.documents, &mut checked);
        let (mut entries, by_account) = (BTreeMap::new(), kept.by_account());
        let nothing = KeptOf::default();
        for name in &kept.ledgers {
            let id = BillingAccountId::new(name)?;
            let of = by_account.get(name.as_str()).unwrap_or(&nothing);
            let own = self.check_ledger(&id, of, &papers, &mut checked).await?;
            self.check_deliveries(&id, (&papers, &own), &mut checked).await?;
            self.check_balances(&id, of, (&papers, &own), &mut checked);
            entries.insert(id, own);
        }
        let mut computed = Vec::new();
        for row in &kept.links {
            let both = (&papers.invoices, &entries);
            computed.push(self.statement_again(row, &kept, both, &mut checked).await?);
        }
        self.check_rebills(&kept.documents, &papers, &mut checked).await?;
        check_chain(&kept.links, &computed, &mut checked);
        self.note_late(&mut checked).await?;
        Ok(checked)
    }

    async fn kept(self: &Arc<Self>) -> Result<Kept> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            let read = || {
                let documents = store.documents(&DocumentFilter::default(), EVERY)?;
                let links = store.close_links()?;
                let mut closes = BTreeMap::new();
                let documented = documents.iter().map(|row| row.period);
                let periods = links.iter().map(|link| link.period).chain(documented);
                for period in periods.collect::<BTreeSet<i32>>() {
                    closes.insert(period, store.closes(period)?);
                }
                Ok(Kept { documents, links, closes, ledgers: store.ledgers()? })
            };
            read().map_err(crate::stored("read the books"))
        })
        .await
    }

    /// Checks one ledger against its balances and the payer's invoices; gives its entries with the
    /// billing period that seals each.
    async fn check_ledger(
        self: &Arc<Self>,
        id: &BillingAccountId,
        of: &KeptOf<'_>,
        papers: &Papers,
        checked: &mut BooksChecked,
    ) -> Result<Vec<(i32, Entry)>> {
        let (store, name) = (Arc::clone(&self.store), id.to_string());
        let rows = crate::blocking(move || {
            store.entries(&name, None).map_err(crate::stored("read a ledger"))
        })
        .await?;
        let mut entries = Vec::with_capacity(rows.len());
        for EntryRow { billing_account: _, purpose, period, body } in rows {
            checked.entries = checked.entries.saturating_add(1);
            let entry = decode_entry(&body).ok();
            let entry = entry.filter(|entry| encode_entry(entry) == body);
            match entry.filter(|entry| purpose_key(entry.purpose()) == purpose) {
                Some(entry) => entries.push((period, entry)),
                None => {
                    let problem = "an entry is not what was booked";
                    checked.problems.push(format!("ledger of {id}: {problem}"));
                }
            }
        }
        let mut sums = Balances::default();
        let posted = sums.post(entries.iter().map(|(_, entry)| entry));
        let balances = balances_of(&self.ledger_of(id).await?);
        match (posted, balances) {
            (Ok(()), Ok(balances)) if balances == sums => {}
            (Ok(()), Ok(_)) => {
                let problem = "its balances are not the sums of its entries";
                checked.problems.push(format!("ledger of {id}: {problem}"));
            }
            (Err(error), _) | (_, Err(error)) => {
                checked.problems.push(format!("ledger of {id}: {error}"));
            }
        }
        for row in &of.documents {
            let wanted = papers.entries_of(row)?;
            if !wanted.iter().all(|wanted| entries.iter().any(|(_, entry)| entry == wanted)) {
                let problem = "its entries are not all in the ledger";
                checked.problems.push(format!("document {}: {problem}", row.id));
            }
        }
        Ok(entries)
    }

    /// What a link seals, computed again from usage, facts, entries and documents.
    async fn statement_again(
        self: &Arc<Self>,
        row: &LinkRow,
        kept: &Kept,
        (invoices, entries): (&BTreeMap<String, Invoice>, &Entries),
        checked: &mut BooksChecked,
    ) -> Result<Statement> {
        let period = period_of(row.period)?;
        let of = match &row.billing_account {
            None => Closed::Period,
            Some(account) => Closed::Parked(BillingAccountId::new(account)?),
        };
        let closes = kept.closes.get(&row.period).map_or(&[][..], Vec::as_slice);
        let members = members(closes, Some(row.number))?;
        let mut charged = self.charges_again(period, closes, &members).await?;
        let mut again = Vec::new();
        for Member { account, rows, entries: digest } in members {
            let Some(charged) = charged.remove(&account) else { continue };
            checked.closes = checked.closes.saturating_add(1);
            let place = format!("close of {account} in {period}");
            let (found, charges) = match charged {
                Ok(found) => found,
                Err(error) => {
                    checked.problems.push(format!("{place}: {error}"));
                    continue;
                }
            };
            if found != rows {
                checked.problems.push(format!("{place}: its rated rows come out otherwise"));
            }
            for part in charges.parts_with(invoices.values(), &account, period) {
                let id = part.document(&account, period)?;
                if !is_billed(invoices.get(id.as_str()), &charges.part(&part)) {
                    let problem = "its lines are not what rated rows and plans come to";
                    checked.problems.push(format!("document {id}: {problem}"));
                }
            }
            let own = entries.get(&account).into_iter().flatten();
            let mut own: Vec<&Entry> =
                own.filter(|(of, _)| *of == row.period).map(|(_, entry)| entry).collect();
            own.sort_by(|a, b| a.purpose().cmp(b.purpose()));
            let sealed = entries_digest(own)?;
            if sealed != digest {
                checked.problems.push(format!("{place}: its entries are not what was booked"));
            }
            again.push(Member { account, rows: found, entries: sealed });
        }
        let sealed = decode_link(&row.body);
        let version = sealed.map_or(LinkVersion::NEWEST, |(_, statement)| statement.version);
        let documents = of_period(&kept.documents, row.period);
        statement((version, period, of), &again, &documents)
    }

    /// What accounts' closed period comes to from the usage and the facts that their closes saw;
    /// those of a cell that saw the same are rated together.
    async fn charges_again(
        self: &Arc<Self>,
        period: BillingPeriod,
        closes: &[CloseRow],
        members: &[Member],
    ) -> Result<ChargedAgain> {
        let mut groups: BTreeMap<(u16, u64, u64), BTreeSet<BillingAccountId>> = BTreeMap::new();
        let closes: BTreeMap<&str, &AccountClose> = closes.iter().filter_map(closed).collect();
        for Member { account, .. } in members {
            if let Some(close) = closes.get(account.as_str()) {
                let seen = (self.bucket_of(account), close.company_version, close.end_sequence);
                groups.entry(seen).or_default().insert(account.clone());
            }
        }
        let mut all = ChargedAgain::new();
        for ((bucket, version, end_sequence), accounts) in groups {
            let declared = match self.declared_at(version).await {
                Ok(declared) => declared,
                Err(error) if is_ours(&error) => return Err(error),
                Err(error) => {
                    all.extend(accounts.into_iter().map(|id| (id, Err(of_group(&error)))));
                    continue;
                }
            };
            let charge = |id: &BillingAccountId, rows: Vec<RatedRow>| {
                let payer = Payer::of(&declared.book, id, period)?;
                let charges = payer.charges(&rows, declared.company.lots_of(id))?;
                Ok((digest_of(rows)?, charges))
            };
            let (key, seen) = (CellKey { period, bucket }, (end_sequence, &declared));
            let rated = self.rate_again(key, (&accounts, None), seen, |id, rows| {
                let charged = charge(&id, rows);
                all.insert(id, charged);
                Ok(())
            });
            let rated = rated.await;
            if rated.as_ref().is_err_and(is_ours) {
                return rated.map(|()| all);
            }
            for id in accounts.into_iter().filter(|id| !all.contains_key(id)).collect::<Vec<_>>() {
                let charged = match &rated {
                    Ok(()) => charge(&id, Vec::new()),
                    Err(error) => Err(of_group(error)),
                };
                all.insert(id, charged);
            }
        }
        Ok(all)
    }

    /// Notes what came too late for closed periods, and no invoice has corrected yet.
    async fn note_late(self: &Arc<Self>, checked: &mut BooksChecked) -> Result<()> {
        let declared = self.declared();
        for id in declared.company.accounts.keys() {
            let late = match self.sent_to(id).await {
                Ok(sent) => self.uncorrected(&declared, id, &sent).await,
                Err(error) => Err(error),
            };
            match late {
                Ok(late) => {
                    for (period, corrections) in late.periods {
                        let note = format!(
                            "{id} in {period}: {} corrections wait for the next close",
                            corrections.len()
                        );
                        checked.notes.push(note);
                    }
                }
                Err(error @ (Error::Internal { .. } | Error::Unavailable { .. })) => {
                    return Err(error);
                }
                Err(error) => checked.notes.push(format!("{id}: {error}")),
            }
        }
        Ok(())
    }
}

/// What closes come to when they are computed again: the digest of the rows, and charges.
type ChargedAgain = BTreeMap<BillingAccountId, Result<(Digest, Charges)>>;

/// Entries of each payer, with the billing period that seals each.
type Entries = BTreeMap<BillingAccountId, Vec<(i32, Entry)>>;

/// Checks bytes and numbers of documents; gives the invoices that can be read, by id.
fn check_documents(rows: &[DocumentRow], checked: &mut BooksChecked) -> Papers {
    let mut papers = Papers::default();
    let mut numbers = Vec::new();
    for row in rows {
        checked.documents = checked.documents.saturating_add(1);
        let place = format!("document {}", row.id);
        if Digest::of(&row.body) != Digest::from_bytes(row.digest) {
            checked.problems.push(format!("{place}: its bytes are not what was issued"));
        }
        numbers.extend(number_of(row));
        if row.kind != INVOICE {
            continue;
        }
        match decode_invoice(&row.body) {
            Ok(invoice) if is_of(&invoice, row) => {
                papers.invoices.insert(row.id.clone(), invoice);
            }
            Ok(_) => checked.problems.push(format!("{place}: it stands in another's place")),
            Err(error) => checked.problems.push(format!("{place}: {error}")),
        }
    }
    if let Err(error) = numbering::check_gap_free(&numbers) {
        checked.problems.push(error.to_string());
    }
    papers
}

/// Whether an invoice is the one of its row; a rebill is sealed after the period that it is for.
fn is_of(invoice: &Invoice, row: &DocumentRow) -> bool {
    invoice.id.as_str() == row.id
        && invoice.billing_account.as_str() == row.billing_account
        && invoice.seller.as_str() == row.seller
        && match invoice.replaces {
            None => invoice.period.number() == row.period,
            Some(_) => invoice.period.number() < row.period,
        }
}

/// Whether an invoice's lines, corrections apart, are just these charges.
pub(crate) fn is_billed(invoice: Option<&Invoice>, charges: &LineSums) -> bool {
    let mut billed = LineSums::default();
    let lines = invoice.into_iter().flat_map(|invoice| &invoice.lines);
    for line in lines.filter(|line| line.key.amends.is_none()) {
        if billed.add(line.key.clone(), line.pricing).is_err() {
            return false;
        }
    }
    billed == *charges
}

fn closed(row: &CloseRow) -> Option<(&str, &AccountClose)> {
    match &row.state {
        CloseState::Closed { closed, link: _ } => Some((&row.billing_account, closed)),
        CloseState::Parked { .. } => None,
    }
}

/// What is wrong with all closes that saw the same.
fn of_group(error: &Error) -> Error {
    Error::invalid("close", format!("cannot be computed again: {error}"))
}

/// Whether an error is not the books'.
fn is_ours(error: &Error) -> bool {
    matches!(error, Error::Internal { .. } | Error::Unavailable { .. })
}

fn of_period(documents: &[DocumentRow], period: i32) -> Vec<DocumentRow> {
    documents.iter().filter(|row| row.period == period).cloned().collect()
}

/// Checks the chain against what was computed again.
fn check_chain(rows: &[LinkRow], computed: &[Statement], checked: &mut BooksChecked) {
    let mut links = Vec::with_capacity(rows.len());
    for row in rows {
        match decode_link(&row.body) {
            Ok((previous, statement)) => {
                links.push(Link { statement, previous, head: Digest::from_bytes(row.head) });
            }
            Err(error) => checked.problems.push(format!("link {}: {error}", row.number)),
        }
    }
    checked.heads = rows.iter().map(|row| Digest::from_bytes(row.head)).collect();
    let newest = checked.heads.last().copied().unwrap_or(Digest::GENESIS);
    if let Err(broken) = domain::chain::verify(&links, computed, newest) {
        checked.problems.push(format!("chain of closes: {broken}"));
    }
}
