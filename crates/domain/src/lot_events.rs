//! Events of lots: whatever changed what a lot holds, in order, with what lots hold behind it.
//!
//! Every event is one posting of the ledger in the account of a lot, so that what lots hold behind
//! the last of them is what the ledger says.
//!
//! Source: Microsoft.Consumption, group Events.

use crate::Result;
use crate::balance_summaries::{LotChangeKind, change, lot_of};
use crate::credits::LotKind;
use crate::ids::{DocumentId, LotId};
use crate::ledger::{Entry, Purpose};
use crate::{Error, encoding::books::purpose_key};
use calendar::Instant;
use money::{Currency, Money};

/// What changed what a lot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotEvent {
    /// When: the moment of its entry; of a grant the lot's beginning, of an expiry its end.
    pub at: Instant,
    /// The lot.
    pub lot: LotId,
    /// Whether it was given or paid for.
    pub kind: LotKind,
    /// What it was.
    pub what: LotEventKind,
    /// What its entry stands for: no other entry does.
    pub purpose: Purpose,
    /// The invoice or note that did it, if one did.
    pub document: Option<DocumentId>,
    /// Minor units; below zero for what the lot lost. Never zero.
    pub amount: Money,
}

/// What an event of a lot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LotEventKind {
    /// The lot was filled, got something back, or ended.
    Changed(LotChangeKind),
    /// The lot paid an invoice.
    Paid,
}

impl LotEventKind {
    /// Where it stands among events of one moment: nothing is paid before it is there.
    const fn rank(self) -> u8 {
        match self {
            LotEventKind::Changed(LotChangeKind::Grant | LotChangeKind::Purchase) => 0,
            LotEventKind::Changed(LotChangeKind::GivenBack) => 1,
            LotEventKind::Paid => 2,
            LotEventKind::Changed(LotChangeKind::Expiry | LotChangeKind::ExpiryAgain) => 3,
        }
    }
}

/// The events of an entry; none where it moves no lot.
///
/// Errors: [`Error::Invalid`] for one that must not touch a lot, and does; [`Error::Money`].
pub fn events_of(entry: &Entry) -> Result<Vec<LotEvent>> {
    let purpose = entry.purpose();
    let of = |source| Error::money(format!("lots in {purpose}"), source);
    let mut events = Vec::new();
    for posting in entry.postings() {
        let Some((kind, lot)) = lot_of(&posting.account) else { continue };
        let amount = posting.signed().map_err(of)?;
        if amount.is_zero() {
            continue;
        }
        let (what, document) = match (change(purpose, kind, amount)?, purpose) {
            (Some((what, document)), _) => (LotEventKind::Changed(what), document),
            (None, Purpose::Drawdown { document, lot: _ }) => {
                (LotEventKind::Paid, Some(document.clone()))
            }
            (None, _) => continue,
        };
        let (at, lot, purpose) = (entry.at(), lot.clone(), purpose.clone());
        events.push(LotEvent { at, lot, kind, what, purpose, document, amount });
    }
    Ok(events)
}

/// Puts events into the order of time, and tells what lots hold behind each of them; `before` is
/// what they hold before the first.
///
/// Errors: [`Error::Money`].
pub fn running(mut events: Vec<LotEvent>, before: Money) -> Result<Vec<(LotEvent, Money)>> {
    events.sort_by_cached_key(|event| (event.at, event.what.rank(), purpose_key(&event.purpose)));
    let mut held = before;
    let told = events.into_iter().map(|event| {
        let sum = held.checked_add(event.amount);
        held = sum.map_err(|source| Error::money(format!("lot {}", event.lot), source))?;
        Ok((event, held))
    });
    told.collect()
}

/// What lots hold behind events; nothing behind none.
pub fn held_behind(events: &[(LotEvent, Money)], currency: Currency) -> Money {
    events.last().map_or(Money::zero(currency), |(_, held)| *held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::{Exclusions, Lot};
    use crate::ledger::{Between, LedgerAccount};
    use crate::posting;
    use calendar::Interval;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn usd(minor: i128) -> Money {
        Money::from_minor(minor, Currency::parse("USD").unwrap())
    }

    fn lot(id: &str, granted: i128) -> Lot {
        Lot {
            id: LotId::new(id).unwrap(),
            kind: LotKind::Credit,
            granted: usd(granted),
            priority: 1,
            holds: Interval::new(at("2026-09-01"), at("2026-10-01")).unwrap(),
            excluded: Exclusions::default(),
        }
    }

    fn paid(document: &str, lot: &Lot, minor: i128, moment: &str) -> Entry {
        let document = DocumentId::new(document).unwrap();
        let purpose = Purpose::Drawdown { document: document.clone(), lot: lot.id.clone() };
        let debit = posting::lot_account(lot.kind, &lot.id);
        let between = Between { debit, credit: LedgerAccount::Receivable(document) };
        Entry::transfer(purpose, at(moment), between, usd(minor)).unwrap()
    }

    #[test]
    fn lots_hold_behind_each_event_what_was_left_then() {
        let lot = lot("l", 10_000);
        let entries = [
            posting::expiry(&lot, usd(3_000)).unwrap(),
            paid("a/2026-09", &lot, 7_000, "2026-09-30T23:00:00Z"),
            posting::grant(&lot, lot.holds.start()).unwrap(),
        ];
        let events: Vec<LotEvent> = entries.iter().flat_map(|e| events_of(e).unwrap()).collect();
        let told = running(events, usd(0)).unwrap();
        let seen: Vec<_> = told.iter().map(|(e, held)| (e.what, e.amount, *held)).collect();
        let changed = LotEventKind::Changed;
        let expected = [
            (changed(LotChangeKind::Grant), usd(10_000), usd(10_000)),
            (LotEventKind::Paid, usd(-7_000), usd(3_000)),
            (changed(LotChangeKind::Expiry), usd(-3_000), usd(0)),
        ];
        assert_eq!(seen, expected);
        assert_eq!(held_behind(&told, usd(0).currency()), usd(0));
    }

    #[test]
    fn of_one_moment_nothing_is_paid_before_it_is_there() {
        let lot = lot("l", 50);
        let moment = "2026-09-01";
        let entries =
            [paid("a/2026-08", &lot, 20, moment), posting::grant(&lot, at(moment)).unwrap()];
        let events: Vec<LotEvent> = entries.iter().flat_map(|e| events_of(e).unwrap()).collect();
        let told = running(events, usd(0)).unwrap();
        assert_eq!(told.iter().map(|(_, held)| *held).collect::<Vec<_>>(), [usd(50), usd(30)]);
    }

    #[test]
    fn entries_that_move_no_lot_are_no_events() {
        let document = DocumentId::new("a/2026-09").unwrap();
        let purpose = Purpose::Surplus { document: document.clone() };
        let debit = LedgerAccount::Receivable(document);
        let between = Between { debit, credit: LedgerAccount::OpenCredit };
        let entry = Entry::transfer(purpose, at("2026-10-01"), between, usd(5)).unwrap();
        assert_eq!(events_of(&entry).unwrap(), []);
    }
}
