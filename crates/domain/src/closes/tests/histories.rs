//! Random histories of a company: usage in time and late, prices that change backwards, moves
//! between payers, lots, closes, payments, refunds, notes, rebills, write-offs.
//!
//! After every step the books hold what the rules say; nothing done twice changes anything.

use super::*;
use crate::agreements::AgreementType;
use crate::catalog::{OfferTerm, Price};
use crate::correction::{InFavour, LatePolicy};
use crate::credits::LotKind;
use crate::delivery::{Billed, Deliveries, Sent};
use crate::ids::LotId;
use crate::ledger::Ledger;
use crate::notes::{self, Wanted};
use crate::payments::{DocumentAmount, Payment, settle};
use crate::rating::{Counters, RatingUnit, rate};
use crate::usage::{LoggedRecord, UsageRecord};
use money::Fixed18;
use proptest::prelude::*;
use std::sync::Arc;

/// One thing that happens. Numbers pick among what is there, by remainder.
#[derive(Debug, Clone)]
enum Step {
    /// Usage of a meter on a day from January on; late where that month is closed.
    Use { meter: u8, day: u16, quantity: u16 },
    /// A meter's price from a day on: the prices of its two tiers, in thousandths.
    Price { meter: u8, day: u16, thousandths: (u16, u16) },
    /// The subscription is the other account's from a day on.
    Move { day: u16 },
    /// A lot of an account: cents, first month, months that it holds.
    Grant { account: u8, prepaid: bool, cents: u16, month: u8, months: u8 },
    /// An account reserves usage of two meters in each hour: first day, days, dollars.
    Reserve { account: u8, day: u16, days: u8, quantity: u8, dollars: u8 },
    /// The next month is closed.
    Close,
    /// An account pays.
    Pay { account: u8, cents: u16 },
    /// Open credit is paid out.
    Refund { account: u8, cents: u16 },
    /// Part of a line is taken back: in hundredths of what is left of it.
    CreditNote { invoice: u8, line: u8, share: u8 },
    /// What an invoice is owed is written off.
    WriteOff { invoice: u8 },
    /// An invoice is withdrawn.
    Void { invoice: u8 },
    /// Another takes the place of a withdrawn one.
    Rebill { invoice: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let (day, small) = (0..120_u16, any::<u8>());
    prop_oneof![
        5 => (0..3_u8, day.clone(), 1..900_u16)
            .prop_map(|(meter, day, quantity)| Step::Use { meter, day, quantity }),
        1 => (0..3_u8, day.clone(), (0..400_u16, 0..400_u16))
            .prop_map(|(meter, day, thousandths)| Step::Price { meter, day, thousandths }),
        1 => day.prop_map(|day| Step::Move { day }),
        1 => (small, any::<bool>(), 1..9_000_u16, 0..4_u8, 1..3_u8).prop_map(
            |(account, prepaid, cents, month, months)| {
                Step::Grant { account, prepaid, cents, month, months }
            }
        ),
        1 => (small, 0..120_u16, 1..40_u8, 1..200_u8, small).prop_map(
            |(account, day, days, quantity, dollars)| {
                Step::Reserve { account, day, days, quantity, dollars }
            }
        ),
        3 => Just(Step::Close),
        1 => (small, 1..9_000_u16).prop_map(|(account, cents)| Step::Pay { account, cents }),
        1 => (small, 1..900_u16).prop_map(|(account, cents)| Step::Refund { account, cents }),
        1 => (small, small, 1..=100_u8)
            .prop_map(|(invoice, line, share)| Step::CreditNote { invoice, line, share }),
        1 => small.prop_map(|invoice| Step::WriteOff { invoice }),
        1 => small.prop_map(|invoice| Step::Void { invoice }),
        1 => small.prop_map(|invoice| Step::Rebill { invoice }),
    ]
}

const METERS: [&str; 3] = ["m", "k", "third"];
const ACCOUNTS: [&str; 2] = ["a", "b"];

/// The company, what was used, and each payer's books.
struct House {
    company: Company,
    records: Vec<UsageRecord>,
    closed: Vec<BillingPeriod>,
    late: LatePolicy,
    books: BTreeMap<BillingAccountId, Books>,
    number: u32,
}

/// What one payer was sent, and its ledger.
#[derive(Default)]
struct Books {
    ledger: Ledger,
    sent: Sent,
    granted: BTreeMap<LotId, BillingPeriod>,
    written_off: BTreeSet<DocumentId>,
    paid: i128,
}

fn day(number: u16) -> Instant {
    t("2026-01-01").plus_micros(i64::from(number) * 86_400_000_000)
}

fn months(from: &str, by: i32) -> BillingPeriod {
    period(from).plus_months(by).unwrap()
}

fn thousandths(number: u16) -> Fixed18 {
    Fixed18::from_atoms(i128::from(number) * 1_000_000_000_000_000)
}

fn tiered(meter: &str, from: Instant, (first, rest): (u16, u16)) -> Price {
    let bound = |from: &str, price: u16| crate::catalog::Tier {
        from: n(from),
        price: thousandths(price),
        flat: n("0"),
        spelled: None,
    };
    Price {
        meter: meter_id(meter),
        lineage: meter.to_owned(),
        effective_from: from,
        ..price(crate::catalog::PricingModel::Graduated {
            tiers: vec![bound("0", first), bound("1000", rest)],
        })
    }
}

impl House {
    fn new(is_offered: bool, late: LatePolicy) -> House {
        let prices = METERS.iter().map(|meter| tiered(meter, Instant::MIN, (333, 127))).collect();
        let mut company = company_of(Vec::new());
        let card = list("card", card("O"), prices);
        company.price_lists = BTreeMap::from([(card.id.clone(), card)]);
        for id in METERS {
            let (id, meter) = meter(id, Aggregation::Sum);
            company.meters.insert(id, meter);
        }
        if is_offered {
            let agreement = || places::below(AgreementType::OnlineServices, "");
            for id in ACCOUNTS {
                company.places.accounts.insert(account(id), agreement());
            }
            let effective_from = t("2026-01-01");
            let excluded = vec![meter_id("k")];
            let terms = vec![
                OfferTerm::MonetaryCommitment {
                    effective_from,
                    discounts: vec![(n("0"), n("0.07"))],
                    excluded: excluded.clone(),
                },
                OfferTerm::MonetaryCredit { effective_from, credit: n("3"), excluded },
                OfferTerm::RecurringCharge { effective_from, amount: n("2.5") },
            ];
            company.price_lists.values_mut().for_each(|list| list.terms = terms.clone());
        }
        let books = ACCOUNTS.map(|id| (account(id), Books::default()));
        let (records, closed) = (Vec::new(), Vec::new());
        House { company, records, closed, late, books: BTreeMap::from(books), number: 0 }
    }

    fn next_number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn open(&self) -> BillingPeriod {
        self.closed.last().map_or(period("2026-01"), |last| last.next())
    }

    fn at(&self) -> Instant {
        self.open().start()
    }

    /// Whose the subscription is at a moment.
    fn payer_at(&self, at: Instant) -> BillingAccountId {
        let subscription = self.company.subscriptions.values().next().unwrap();
        subscription.placement_at(at).unwrap().billing_account.clone()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Use { meter, day: of, quantity } => {
                let (at, id) = (day(of), self.next_number().to_string());
                let mut record = record(&id, "2026-01-01", &quantity.to_string());
                record.key.billing_account = self.payer_at(at);
                record.meter = meter_id(METERS[usize::from(meter) % METERS.len()]);
                record.service_period = Interval::at(at);
                self.records.push(record);
            }
            Step::Price { meter, day: of, thousandths } => {
                let meter = METERS[usize::from(meter) % METERS.len()];
                let list = self.company.price_lists.values_mut().next().unwrap();
                let prices = list.prices.get_mut(&meter_id(meter)).unwrap();
                prices.retain(|price| price.effective_from != day(of));
                prices.push(tiered(meter, day(of), thousandths));
                prices.sort_by_key(|price| price.effective_from);
            }
            Step::Move { day: of } => self.move_from(day(of)),
            Step::Grant { account, prepaid, cents: granted, month, months: held } => {
                let from = months("2026-01", month.into());
                // What begins before the open period would have been granted in a closed one.
                let from = from.max(self.open());
                let id = format!("{}{}", if prepaid { "p" } else { "c" }, self.next_number());
                let until = from.plus_months(held.into()).unwrap().start();
                let lot = Lot {
                    holds: Interval::new(from.start(), until).unwrap(),
                    granted: cents(granted.into()),
                    ..march_lot(&format!("{id} 0"))
                };
                let of = super::account(ACCOUNTS[usize::from(account) % 2]);
                self.company.lots.entry(of).or_default().push(lot);
            }
            Step::Reserve { account, day: from, days, quantity, dollars } => {
                let of = super::account(ACCOUNTS[usize::from(account) % 2]);
                let term = Interval::new(day(from), day(from + u16::from(days))).unwrap();
                let id = format!("r{}", self.next_number());
                let bought = Reservation {
                    id: ReservationId::new(&id).unwrap(),
                    term,
                    scope: ReservationScope::Account(of.clone()),
                    meters: vec![meter_id("m"), meter_id("k")],
                    conditions: Vec::new(),
                    quantity: n(&quantity.to_string()),
                    price: Cost { major: n(&format!("{dollars}.07")), currency: usd() },
                    billed_to: SubscriptionId::new("s").unwrap(),
                };
                let held = HeldReservation { bought, refunds: Vec::new(), end: None };
                self.company.reservations.entry(of).or_default().push(held);
            }
            Step::Close => self.close(),
            Step::Pay { account, cents } => self.pay(account, cents),
            Step::Refund { account, cents } => self.refund(account, cents),
            Step::CreditNote { invoice, line, share } => self.credit(invoice, line, share),
            Step::WriteOff { invoice } => self.write_off(invoice),
            Step::Void { invoice } => self.void(invoice),
            Step::Rebill { invoice } => self.rebill(invoice),
        }
    }

    /// From a moment on the other account pays, until the next move that was declared before.
    fn move_from(&mut self, at: Instant) {
        let old = self.payer_at(at);
        let to = if old == account("a") { "b" } else { "a" };
        let subscription = self.company.subscriptions.values_mut().next().unwrap();
        let mut placements = Vec::new();
        for one in &subscription.placements {
            if !one.during.contains(at) || one.during.start() == at {
                placements.push(one.clone());
                continue;
            }
            let (start, end) = (one.during.start(), one.during.end());
            placements
                .push(placement(one.billing_account.as_str(), Interval::new(start, at).unwrap()));
            placements.push(placement(to, Interval::new(at, end).unwrap()));
        }
        subscription.placements = placements;
    }

    fn book(&self) -> PriceBook {
        PriceBook::new(Arc::new(self.company.clone()))
    }

    /// All that an account used in a month, rated from scratch, shuffled by `seed`.
    fn rows(&self, book: &PriceBook, of: &BillingAccountId, month: BillingPeriod) -> Vec<RatedRow> {
        let mut rows = Vec::new();
        let reservations = self.company.reservations_in(of, month.interval()).unwrap();
        // What reservations couple is rated together.
        let groups: Vec<&[&str]> = match reservations.as_slice() {
            [] => METERS.chunks(1).collect(),
            _ => vec![&METERS[..2], &METERS[2..]],
        };
        for group in groups {
            let is_of = |record: &&UsageRecord| {
                record.key.billing_account == *of
                    && group.iter().any(|meter| record.meter == meter_id(meter))
                    && BillingPeriod::of(record.service_period.start()) == month
            };
            let mut records: Vec<LoggedRecord> = logged(self.records.iter().filter(is_of).cloned());
            records.reverse();
            let is_coupled = group.contains(&"m");
            let unit = RatingUnit {
                book,
                billing_account: of,
                period: month,
                records: &records,
                reservations: if is_coupled { &reservations } else { &[] },
                carried: &Counters::default(),
            };
            let rated = rate(&unit);
            assert!(rated.failed.is_none(), "{:?}", rated.failed);
            rows.extend(rated.rows);
        }
        rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        rows
    }

    /// What a closed month's charges are, lines cut as they were.
    fn scratch(&self, book: &PriceBook, of: &BillingAccountId, month: BillingPeriod) -> Charges {
        let payer = Payer::of(book, of, month).unwrap();
        let granted = &self.books[of].granted;
        let was_there = |lot: &&Lot| granted.get(&lot.id).is_some_and(|at| *at <= month);
        let lots: Vec<Lot> = self.company.lots_of(of).iter().filter(was_there).cloned().collect();
        payer.charges(&self.rows(book, of, month), &lots).unwrap()
    }

    fn uncorrected(&self, book: &PriceBook, of: &BillingAccountId) -> Vec<(Part, Correction)> {
        let mut all = Vec::new();
        for month in &self.closed {
            let payer = Payer::of(book, of, *month).unwrap();
            let again = self.scratch(book, of, *month);
            all.extend(payer.corrections(&self.books[of].sent, &again).unwrap());
        }
        all
    }

    fn close(&mut self) {
        let (book, month) = (self.book(), self.open());
        for id in ACCOUNTS.map(account) {
            let mut payer = Payer::of(&book, &id, month).unwrap();
            payer.terms.late = self.late.clone();
            let rows = self.rows(&book, &id, month);
            let own = payer.charges(&rows, self.company.lots_of(&id)).unwrap();
            let late = self.uncorrected(&book, &id);
            let books = self.books.get_mut(&id).unwrap();
            let (before, at) = (books.ledger.balances().clone(), month.end());
            let Deliveries { next, delivered, billed: noted } =
                payer.deliver(late, &books.sent, &before, at).unwrap();
            let mut charges = own.clone();
            for (part, correction) in next {
                let (key, cost) = correction.charge();
                charges.add(part, key, cost).unwrap();
            }
            let grants = payer.lots_to_grant(|lot| books.granted.contains_key(&lot.id));
            let bill = || payer.bill(&charges, &[], &grants, &noted.balances, at).unwrap();
            let billed = bill();
            assert_eq!(billed, bill(), "the same close is the same");
            let billed = noted.then(billed);
            books.post(billed.entries);
            assert_eq!(*books.ledger.balances(), billed.balances);
            books.granted.extend(grants.into_iter().map(|lot| (lot.id.clone(), month)));
            check_reconciles(&billed.invoices, &rows, &own);
            books.sent.invoices.extend(billed.invoices);
            books.sent.notes.extend(billed.notes);
            books.sent.delivered.extend(delivered);
        }
        self.closed.push(month);
        for id in ACCOUNTS.map(account) {
            assert_eq!(self.uncorrected(&book, &id), [], "original + corrections = from scratch");
        }
    }

    fn pay(&mut self, account: u8, sent: u16) {
        let (at, id) = (self.at(), format!("in-{}", self.next_number()));
        let books =
            self.books.get_mut(&super::account(ACCOUNTS[usize::from(account) % 2])).unwrap();
        let payment = Payment { id: payment_id(&id), at, amount: cents(sent.into()) };
        let owed = books.owed();
        let settled = settle(payment.amount, &owed).unwrap();
        books.post(vec![posting::payment(&payment, &settled).unwrap()]);
        books.paid += i128::from(sent);
    }

    fn refund(&mut self, account: u8, wanted: u16) {
        let (at, id) = (self.at(), format!("out-{}", self.next_number()));
        let books =
            self.books.get_mut(&super::account(ACCOUNTS[usize::from(account) % 2])).unwrap();
        let open = books.ledger.balances().of(&LedgerAccount::OpenCredit, usd()).minor();
        let refund = Payment { id: payment_id(&id), at, amount: cents(wanted.into()) };
        let entry = posting::refund(&refund).unwrap();
        if open < i128::from(wanted) {
            let before = books.ledger.balances().clone();
            assert!(books.ledger.post(vec![entry]).is_err(), "{wanted} of {open}");
            assert_eq!(*books.ledger.balances(), before, "what is refused changes nothing");
        } else {
            books.post(vec![entry]);
            books.paid -= i128::from(wanted);
        }
    }

    /// The books and the place of the invoice that a number picks.
    fn picked(&mut self, number: u8) -> Option<(&mut Books, usize)> {
        let count: usize = self.books.values().map(|books| books.sent.invoices.len()).sum();
        let mut place = usize::from(number).checked_rem(count)?;
        for books in self.books.values_mut() {
            if place < books.sent.invoices.len() {
                return Some((books, place));
            }
            place -= books.sent.invoices.len();
        }
        None
    }

    fn credit(&mut self, invoice: u8, line: u8, share: u8) {
        let (at, id) = (self.at(), document(&format!("note-{}", self.next_number())));
        let Some((books, place)) = self.picked(invoice) else { return };
        let invoice = books.sent.invoices[place].clone();
        let line = usize::from(line) % invoice.lines.len();
        let line = invoice.lines[line].number;
        let Ok(creditable) = notes::creditable(&invoice, &books.sent.notes) else {
            assert!(books.sent.is_void(&invoice.id), "{}", invoice.id);
            return;
        };
        let net = creditable[&line].minor() * i128::from(share) / 100;
        if net > 0 {
            let wanted = [Wanted { line, net: Money::from_minor(net, usd()) }];
            let note = notes::credit_note(id, &invoice, &books.sent.notes, &wanted).unwrap();
            let mut billed = Billed::on(books.ledger.balances());
            billed.take_back(note, &invoice, at).unwrap();
            books.take(billed);
        }
    }

    fn void(&mut self, invoice: u8) {
        let (at, id) = (self.at(), document(&format!("void-{}", self.next_number())));
        let Some((books, place)) = self.picked(invoice) else { return };
        let invoice = books.sent.invoices[place].clone();
        let note = notes::void_note(id, &invoice, &books.sent.notes);
        assert_eq!(note.is_err(), books.sent.is_void(&invoice.id), "{}", invoice.id);
        let Ok(note) = note else { return };
        let mut billed = Billed::on(books.ledger.balances());
        if let Err(refused) = billed.take_back(note.clone(), &invoice, at) {
            // What it left in the payer's favour has been paid out already.
            assert!(matches!(refused, Error::Overdrawn { .. }), "{refused:?}");
            return;
        }
        // What lots get back that have ended ends with it.
        let ended: BTreeSet<&LotId> = books.ledger.entries().filter_map(ended_by).collect();
        let is_ended = |lot: &LotId| ended.contains(lot) || is_of_offer(lot);
        billed.end_again(&note, is_ended, at).unwrap();
        books.take(billed);
    }

    fn rebill(&mut self, invoice: u8) {
        let (at, book) = (self.at(), self.book());
        let Some((books, place)) = self.picked(invoice) else { return };
        let (old, sent) = (books.sent.invoices[place].clone(), books.sent.clone());
        let balances = books.ledger.balances().clone();
        let again = self.scratch(&book, &old.billing_account, old.period);
        let payer = Payer::of(&book, &old.billing_account, old.period).unwrap();
        let Ok(new) = payer.rebill(&old, &sent, &again, &[], &balances) else { return };
        assert!(sent.is_void(&old.id), "{} stands", old.id);
        let mut billed = Billed::on(&balances);
        billed.issue(new, at).unwrap();
        self.books.get_mut(&old.billing_account).unwrap().take(billed);
    }

    fn write_off(&mut self, invoice: u8) {
        let at = self.at();
        let Some((books, place)) = self.picked(invoice) else { return };
        let id = books.sent.invoices[place].id.clone();
        let receivable = LedgerAccount::Receivable(id.clone());
        let amount = books.ledger.balances().of(&receivable, usd());
        // Once for an invoice: its key is its document.
        if amount.minor() <= 0 || books.written_off.contains(&id) {
            return;
        }
        let of = DocumentAmount { document: id.clone(), amount };
        books.post(vec![posting::write_off(&of, at).unwrap()]);
        books.written_off.insert(id);
    }

    /// What holds after every step.
    fn check(&self) {
        for books in self.books.values() {
            let mut sum = 0_i128;
            for entry in books.ledger.entries() {
                let of = |posting: &crate::ledger::Posting| match posting.side {
                    crate::ledger::Side::Debit => posting.amount.minor(),
                    crate::ledger::Side::Credit => -posting.amount.minor(),
                };
                sum += entry.postings().iter().map(of).sum::<i128>();
            }
            assert_eq!(sum, 0, "debits = credits");
            books.check_money();
        }
    }
}

impl Books {
    /// Posts, and posts again: the second time nothing is new.
    fn post(&mut self, entries: Vec<Entry>) {
        let count = entries.len();
        assert_eq!(self.ledger.post(entries.clone()).unwrap(), count);
        let before = self.ledger.balances().clone();
        assert_eq!(self.ledger.post(entries).unwrap(), 0);
        assert_eq!(*self.ledger.balances(), before);
    }

    /// Posts and keeps what was made.
    fn take(&mut self, billed: Billed) {
        self.post(billed.entries);
        self.sent.invoices.extend(billed.invoices);
        self.sent.notes.extend(billed.notes);
    }

    fn owed(&self) -> Vec<DocumentAmount> {
        let of = |invoice: &Invoice| {
            let account = LedgerAccount::Receivable(invoice.id.clone());
            let amount = self.ledger.balances().of(&account, usd());
            DocumentAmount { document: invoice.id.clone(), amount }
        };
        self.sent.invoices.iter().map(of).collect()
    }

    /// Invoices − notes − written off = paid + owed − open credit.
    fn check_money(&self) {
        let held = |account: &LedgerAccount| self.ledger.balances().of(account, usd()).minor();
        let demanded: i128 =
            self.sent.invoices.iter().map(|invoice| invoice.totals().unwrap().total.minor()).sum();
        let taken: i128 = self.sent.notes.iter().map(|note| note.total().unwrap().minor()).sum();
        let (mut owed, mut lost) = (0, 0);
        for invoice in &self.sent.invoices {
            let due = held(&LedgerAccount::Receivable(invoice.id.clone()));
            assert!(due >= 0, "{} is owed {due}", invoice.id);
            owed += due;
            lost += held(&LedgerAccount::WriteOff(invoice.id.clone()));
        }
        let open = held(&LedgerAccount::OpenCredit);
        assert_eq!(demanded - taken - lost, self.paid + owed - open);
        for lot in self.granted.keys() {
            let is_prepaid = lot.as_str().starts_with('p');
            let kind = if is_prepaid { LotKind::Prepayment } else { LotKind::Credit };
            assert!(held(&lot_account(kind, lot)) >= 0, "{lot}");
        }
    }
}

/// The lot whose end an entry books.
fn ended_by(entry: &Entry) -> Option<&LotId> {
    match entry.purpose() {
        Purpose::Expiry { lot } => Some(lot),
        _ => None,
    }
}

/// Rated rows and the terms' charges + rounding rows = invoice lines, corrections apart.
fn check_reconciles(invoices: &[Invoice], rows: &[RatedRow], own: &Charges) {
    let rated = Fixed18::checked_sum(rows.iter().map(|row| row.cost.major)).unwrap();
    let is_usage = |key: &LineKey| key.category == ChargeCategory::Usage;
    let sums = own.iter().flat_map(|(_, sums)| sums.iter()).filter(|(key, _)| is_usage(key));
    let summed = Fixed18::checked_sum(sums.map(|(_, cost)| cost.major)).unwrap();
    assert_eq!(summed, rated, "each row stands on one line");
    let charged = own.iter().flat_map(|(_, sums)| sums.iter());
    let charged = Fixed18::checked_sum(charged.map(|(_, cost)| cost.major)).unwrap();
    let (mut booked, mut rounding) = (n("0"), n("0"));
    for line in invoices.iter().flat_map(|invoice| &invoice.lines) {
        if line.key.amends.is_none() {
            booked = booked.checked_add(line.booked.to_cost().unwrap().major).unwrap();
            rounding = rounding.checked_add(line.rounding().unwrap().major).unwrap();
        }
    }
    assert_eq!(charged.checked_add(rounding).unwrap(), booked, "rated + rounding = invoice");
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn a_company_lives_through_anything(
        steps in prop::collection::vec(any_step(), 1..24),
        is_offered in any::<bool>(),
        (by_note, limit) in (any::<bool>(), 0..3_i64),
    ) {
        let in_favour = if by_note { InFavour::CreditNote } else { InFavour::NextInvoice };
        let late = LatePolicy { in_favour, not_billed_up_to: cents(limit * 500) };
        let mut house = House::new(is_offered, late);
        for step in &steps {
            house.take(step);
            house.check();
        }
        house.take(&Step::Close);
        house.check();
    }
}
