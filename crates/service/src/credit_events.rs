//! Credit and prepayment: the lots of an account with what becomes of them, and every event that
//! changed what they hold, booked ones and those that open billing periods come to.
//!
//! Lots belong to a billing account and pay for all that is charged in it. At the account all of
//! them are told, at a place below it those of credit: prepayment is bought for the whole account.

use crate::account_closes::keeps_changing;
use crate::balances::LotsNow;
use crate::bookings::ATTEMPTS_MOST;
use crate::invoice_lines::not_drafted;
use crate::invoice_told::{number_in, part_of};
use crate::pages::{ANSWER_ROWS, too_long};
use crate::structure::Look;
use crate::told_lines::Named;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant, Interval};
use domain::access::{Action, Caller, Scope};
use domain::balance_summaries::LotChangeKind;
use domain::closes::Part;
use domain::credit_summaries::{CreditSummary, LotNow, summary};
use domain::credits::LotKind;
use domain::encoding::books::{decode_entry, purpose_key};
use domain::ids::{BillingAccountId, DocumentId, LotId};
use domain::lot_events::{LotEvent, LotEventKind, events_of, held_behind, running};
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place};
use domain::{Error, Result};
use money::{Currency, Money};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::DocumentHead;

/// How many digits the name of an event has.
const NAME_DIGITS: usize = 32;

/// The lots that can pay at a billing account or a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditTold {
    /// Whose they are.
    pub billing_account: BillingAccountId,
    /// When it was asked: business time.
    pub at: Instant,
    /// Of every amount.
    pub currency: Currency,
    /// What they hold and can pay together.
    pub summary: CreditSummary,
    /// Every lot that there was, in the order of their beginnings and ids.
    pub lots: Vec<LotTold>,
}

/// A lot, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotTold {
    /// Its id.
    pub id: LotId,
    /// Whether it was given or paid for.
    pub kind: LotKind,
    /// What it held at first.
    pub granted: Money,
    /// When it holds.
    pub holds: Interval,
    /// When it was filled, by the ledger; none before that.
    pub filled_at: Option<Instant>,
    /// What the ledger says is left: after closed periods.
    pub booked: Money,
    /// What the usage of open periods takes of it.
    pub drawn: Money,
    /// What it can still pay now.
    pub available: Money,
    /// How far it has come.
    pub state: LotState,
}

/// How far a lot has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LotState {
    /// It does not hold yet.
    ToCome,
    /// It can pay.
    Active,
    /// It has paid all that it held.
    Used,
    /// It has ended, and held something then.
    Ended,
    /// What filled it was taken back.
    TakenBack,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditEventsAsked {
    /// Those that happened then, half-open.
    pub during: Interval,
    /// Of lots of one kind; of all if none.
    pub kind: Option<LotKind>,
    /// Of one lot; of all if none.
    pub lot: Option<LotId>,
}

/// An event of a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditEvent {
    /// By which it is told from all others of its account.
    pub name: String,
    /// Whether it is in the ledger; else an open billing period comes to it so far.
    pub is_booked: bool,
    /// What happened.
    pub event: LotEvent,
    /// The number of the invoice or note that did it.
    pub document: Option<DocumentNumber>,
    /// The billing profile that the invoice is for.
    pub profile: Option<Named>,
    /// What all lots that are asked for hold behind it.
    pub closed: Money,
}

/// A payer's lots and events, as they stand at one version of its ledger.
struct Read {
    now: LotsNow,
    booked: Vec<LotEvent>,
    pending: Vec<LotEvent>,
    heads: Vec<DocumentHead>,
}

impl Reckoner {
    /// What the lots hold that can pay at a billing account or a place in it. Estimated of a
    /// place's is [`Reckoner::available_credit`]; current is what the ledger holds.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for a place that the caller may not know
    /// of; [`Error::Conflict`] naming what keeps an open billing period from being drafted.
    #[boxed]
    pub async fn credit(&self, caller: &Caller, scope: &Scope) -> Result<CreditTold> {
        let (_, of) = self.lots_at(caller, scope)?;
        let Read { now, booked, .. } = self.read_lots(&of).await?;
        let LotsNow { at, currency, lots, drafts: _ } = now;
        let lots: Vec<LotNow> = lots.into_iter().filter(|now| of.has(now.lot.kind)).collect();
        let booked: Vec<LotEvent> = booked.into_iter().filter(|one| of.has(one.kind)).collect();
        let told = lots.iter().map(|now| lot_told(now, &booked, at));
        let mut told = told.collect::<Result<Vec<_>>>()?;
        add_earlier(&mut told, &booked, currency)?;
        told.sort_by(|a, b| (a.holds.start(), &a.id).cmp(&(b.holds.start(), &b.id)));
        let summary = summary(currency, &lots, at)?;
        Ok(CreditTold { billing_account: of.account, at, currency, summary, lots: told })
    }

    /// Lists what changed the lots that can pay at a billing account or a place in it: what the
    /// ledger has, in order of time, then what open billing periods come to so far. The last that
    /// is booked leaves what the ledger holds, the last of all what the balance of the open billing
    /// period ends with.
    ///
    /// Errors: as [`Reckoner::credit`]; [`Error::TooMuch`].
    #[boxed]
    pub async fn credit_events(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &CreditEventsAsked,
    ) -> Result<Vec<CreditEvent>> {
        let (look, of) = self.lots_at(caller, scope)?;
        let Read { now, mut booked, mut pending, heads } = self.read_lots(&of).await?;
        let is_of = |event: &LotEvent| {
            of.has(event.kind)
                && asked.kind.is_none_or(|kind| kind == event.kind)
                && asked.lot.as_ref().is_none_or(|lot| *lot == event.lot)
        };
        booked.retain(is_of);
        pending.retain(is_of);
        let booked = running(booked, Money::zero(now.currency))?;
        let pending = running(pending, held_behind(&booked, now.currency))?;
        let all = booked.into_iter().map(|one| (true, one));
        let all = all.chain(pending.into_iter().map(|one| (false, one)));
        let meant = all.filter(|(_, (event, _))| asked.during.contains(event.at));
        let telling = Telling::of(&look, &of.account, &heads)?;
        let told = meant.map(|(is_booked, one)| telling.event(is_booked, one));
        let told = told.collect::<Result<Vec<_>>>()?;
        let most = (self.limits().answer_rows, ANSWER_ROWS);
        too_long("rows of an answer", told.len() as u64, most)?;
        Ok(told)
    }

    /// Whose lots are meant, for who may read balances there.
    fn lots_at(&self, caller: &Caller, scope: &Scope) -> Result<(Look, LotsOf)> {
        let look = self.demand_in_sight(caller, Action::ReadBalance, scope)?;
        let of = match scope {
            Scope::Account(account) => LotsOf { account: account.clone(), kind: None },
            Scope::Place(Place { billing_account, key: _ }) => {
                LotsOf { account: billing_account.clone(), kind: Some(LotKind::Credit) }
            }
            Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => {
                return Err(Error::invalid("scope", "must be a billing account or a place in it"));
            }
        };
        Ok((look, of))
    }

    /// Reads lots and events until nothing was booked meanwhile: else they would not agree.
    async fn read_lots(&self, of: &LotsOf) -> Result<Read> {
        for _ in 0..ATTEMPTS_MOST {
            let before = self.0.ledger_of(&of.account).await?.version;
            let read = self.0.read_lots(&of.account).await;
            if self.0.ledger_of(&of.account).await?.version == before {
                return read;
            }
        }
        Err(keeps_changing(&of.account))
    }
}

/// Whose lots, and of which kind: of both if none.
struct LotsOf {
    account: BillingAccountId,
    kind: Option<LotKind>,
}

impl LotsOf {
    fn has(&self, kind: LotKind) -> bool {
        self.kind.is_none_or(|own| own == kind)
    }
}

impl Inner {
    async fn read_lots(self: &Arc<Self>, account: &BillingAccountId) -> Result<Read> {
        let now = self.lots_now(account).await.map_err(|error| not_drafted(account, error))?;
        let heads = self.heads_of(account).await?;
        let (store, name) = (Arc::clone(&self.store), account.to_string());
        let booked = crate::blocking(move || {
            let rows = store.entries(&name, None).map_err(crate::stored("read a ledger"))?;
            let mut events = Vec::new();
            for row in rows {
                events.append(&mut events_of(&decode_entry(&row.body)?)?);
            }
            Ok(events)
        });
        let booked = booked.await?;
        let mut pending = Vec::new();
        for entry in now.drafts.iter().flat_map(|draft| &draft.billed.entries) {
            pending.append(&mut events_of(entry)?);
        }
        // Documents that are still to come are of today: the same question has the same answer.
        for event in pending.iter_mut().filter(|event| event.at == now.at) {
            event.at = now.at.start_of_day();
        }
        Ok(Read { now, booked, pending, heads })
    }
}

/// A lot with what became of it by the events of all lots.
fn lot_told(now: &LotNow, events: &[LotEvent], at: Instant) -> Result<LotTold> {
    let lot = &now.lot;
    let own: Vec<&LotEvent> = events.iter().filter(|event| event.lot == lot.id).collect();
    let currency = lot.granted.currency();
    let state = state_of(now, &own, at)?;
    Ok(LotTold {
        id: lot.id.clone(),
        kind: lot.kind,
        granted: lot.granted,
        holds: lot.holds,
        filled_at: own.iter().find(|event| fills(event)).map(|event| event.at),
        booked: now.booked.unwrap_or(Money::zero(currency)),
        drawn: now.drawn,
        available: now.available(at)?,
        state,
    })
}

fn state_of(now: &LotNow, events: &[&LotEvent], at: Instant) -> Result<LotState> {
    let currency = now.lot.granted.currency();
    let sum = |of: &dyn Fn(&LotEvent) -> bool| {
        let amounts = events.iter().filter(|event| of(event)).map(|event| event.amount);
        let sum = Money::checked_sum(currency, amounts);
        sum.map_err(|source| Error::money(format!("lot {}", now.lot.id), source))
    };
    if events.iter().any(|event| fills(event)) && sum(&fills)?.is_zero() {
        return Ok(LotState::TakenBack);
    }
    let has_ended = at >= now.lot.holds.end();
    let lost = !sum(&expires)?.is_zero() || !now.undrawn()?.is_zero();
    Ok(match (has_ended, lost) {
        (true, true) => LotState::Ended,
        (false, _) if at < now.lot.holds.start() => LotState::ToCome,
        (false, true) if !now.undrawn()?.is_zero() => LotState::Active,
        (_, _) => LotState::Used,
    })
}

/// Whether a lot got what it was meant to hold, or lost that.
fn fills(event: &LotEvent) -> bool {
    match event.what {
        LotEventKind::Changed(what) => match what {
            LotChangeKind::Purchase | LotChangeKind::Grant => true,
            LotChangeKind::GivenBack | LotChangeKind::Expiry | LotChangeKind::ExpiryAgain => false,
        },
        LotEventKind::Paid => false,
    }
}

/// Whether a lot lost what it held when it ended.
fn expires(event: &LotEvent) -> bool {
    match event.what {
        LotEventKind::Changed(what) => match what {
            LotChangeKind::Expiry | LotChangeKind::ExpiryAgain => true,
            LotChangeKind::Purchase | LotChangeKind::Grant | LotChangeKind::GivenBack => false,
        },
        LotEventKind::Paid => false,
    }
}

/// Adds the lots of the ledger that are declared no more or were granted by offers for earlier
/// billing periods, each for one: what filled them says what they were.
fn add_earlier(told: &mut Vec<LotTold>, events: &[LotEvent], currency: Currency) -> Result<()> {
    let mut earlier: BTreeMap<(LotKind, LotId), Vec<LotEvent>> = BTreeMap::new();
    for event in events.iter().filter(|event| !told.iter().any(|lot| lot.id == event.lot)) {
        earlier.entry((event.kind, event.lot.clone())).or_default().push(event.clone());
    }
    for ((kind, id), own) in earlier {
        let of = |source| Error::money(format!("lot {id}"), source);
        let Some(filled) = own.iter().find(|event| fills(event)) else { continue };
        let period = BillingPeriod::of(filled.at);
        let booked = Money::checked_sum(currency, own.iter().map(|event| event.amount));
        let booked = booked.map_err(of)?;
        let holds = Interval::new(filled.at, period.end())
            .map_err(|source| Error::internal(format!("tell lot {id}"), source))?;
        let state = if own.iter().any(expires) { LotState::Ended } else { LotState::Used };
        let zero = Money::zero(currency);
        let (granted, filled_at) = (filled.amount, Some(filled.at));
        told.push(LotTold {
            id: id.clone(),
            kind,
            granted,
            holds,
            filled_at,
            booked,
            drawn: zero,
            available: zero,
            state,
        });
    }
    Ok(())
}

/// Tells events with the documents of one payer.
struct Telling<'a> {
    look: &'a Look,
    account: &'a BillingAccountId,
    /// By id: the number, and the id of the invoice.
    documents: BTreeMap<&'a str, (DocumentNumber, &'a str)>,
}

impl<'a> Telling<'a> {
    fn of(
        look: &'a Look,
        account: &'a BillingAccountId,
        heads: &'a [DocumentHead],
    ) -> Result<Telling<'a>> {
        let known = |head: &'a DocumentHead| {
            let invoice = if head.amends.is_empty() { &head.id } else { &head.amends };
            Ok((head.id.as_str(), (number_in(head)?, invoice.as_str())))
        };
        let documents = heads.iter().map(known).collect::<Result<_>>()?;
        Ok(Telling { look, account, documents })
    }

    fn event(&self, is_booked: bool, (event, closed): (LotEvent, Money)) -> Result<CreditEvent> {
        let id = event.document.as_ref().map(DocumentId::as_str);
        let known = id.and_then(|id| self.documents.get(id)).filter(|_| is_booked);
        let invoice = known.map(|(_, invoice)| *invoice).or(id);
        let part = invoice.map(|id| part_of(id, self.account)).transpose()?.flatten();
        let profile = part.as_ref().and_then(Part::profile);
        let profile = profile
            .and_then(|profile| self.look.named(self.account, Level::BillingProfile, profile));
        Ok(CreditEvent {
            name: name_of(&event),
            is_booked,
            document: known.map(|(number, _)| number.clone()),
            profile,
            event,
            closed,
        })
    }
}

/// What an entry stands for, shortened: it is the entry's key.
fn name_of(event: &LotEvent) -> String {
    let digits = blake3::hash(&purpose_key(&event.purpose)).to_hex().to_string();
    digits.chars().take(NAME_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::credits::{Exclusions, Lot};
    use domain::ledger::Purpose;

    fn usd(minor: i128) -> Money {
        Money::from_minor(minor, Currency::parse("USD").unwrap())
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn event(what: LotEventKind, minor: i128, moment: &str) -> LotEvent {
        let lot = LotId::new("l").unwrap();
        LotEvent {
            at: at(moment),
            kind: LotKind::Credit,
            what,
            purpose: Purpose::Grant { lot: lot.clone() },
            lot,
            document: None,
            amount: usd(minor),
        }
    }

    const GRANT: LotEventKind = LotEventKind::Changed(LotChangeKind::Grant);
    const EXPIRY: LotEventKind = LotEventKind::Changed(LotChangeKind::Expiry);

    #[test]
    fn a_lot_comes_is_active_and_is_used_up_or_ends() {
        let check = |booked: Option<i128>,
                     drawn: i128,
                     events: &[(LotEventKind, i128)],
                     moment: &str,
                     expected: LotState| {
            let lot = Lot {
                id: LotId::new("l").unwrap(),
                kind: LotKind::Credit,
                granted: usd(100),
                priority: 1,
                holds: Interval::new(at("2026-09-01"), at("2026-11-01")).unwrap(),
                excluded: Exclusions::default(),
            };
            let now = LotNow { lot, booked: booked.map(usd), drawn: usd(drawn) };
            let events: Vec<LotEvent> =
                events.iter().map(|(what, minor)| event(*what, *minor, "2026-09-01")).collect();
            let told = lot_told(&now, &events, at(moment)).unwrap();
            assert_eq!(told.state, expected, "{booked:?} {drawn} {moment}");
        };
        let granted = (GRANT, 100);
        check(None, 0, &[], "2026-08-20", LotState::ToCome);
        check(None, 0, &[], "2026-09-20", LotState::Active);
        check(Some(40), 0, &[granted, (LotEventKind::Paid, -60)], "2026-10-20", LotState::Active);
        check(Some(40), 40, &[granted, (LotEventKind::Paid, -60)], "2026-10-20", LotState::Used);
        check(Some(0), 0, &[granted, (LotEventKind::Paid, -100)], "2026-11-20", LotState::Used);
        // Ended, whether a close has booked that or not.
        check(Some(40), 10, &[granted, (LotEventKind::Paid, -60)], "2026-11-02", LotState::Ended);
        let ended = [granted, (LotEventKind::Paid, -60), (EXPIRY, -40)];
        check(Some(0), 0, &ended, "2026-12-02", LotState::Ended);
        let back = [granted, (GRANT, -100)];
        check(Some(0), 0, &back, "2026-10-02", LotState::TakenBack);
    }

    #[test]
    fn lots_of_earlier_offers_are_what_filled_them() {
        let events = [event(GRANT, 50, "2026-03-01"), event(LotEventKind::Paid, -50, "2026-04-02")];
        let mut told = Vec::new();
        add_earlier(&mut told, &events, usd(0).currency()).unwrap();
        let [lot] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((lot.granted, lot.booked, lot.state), (usd(50), usd(0), LotState::Used));
        let march = BillingPeriod::parse("2026-03").unwrap();
        assert_eq!(lot.holds, march.interval());
        // It is told once.
        add_earlier(&mut told, &events, usd(0).currency()).unwrap();
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn names_of_events_are_their_entries() {
        let one = event(GRANT, 50, "2026-03-01");
        let other = LotEvent { purpose: Purpose::Expiry { lot: one.lot.clone() }, ..one.clone() };
        assert_eq!(name_of(&one), name_of(&one.clone()));
        assert_ne!(name_of(&one), name_of(&other));
        assert_eq!(name_of(&one).len(), NAME_DIGITS);
    }
}
