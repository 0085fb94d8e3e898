//! Random histories of one payer over months: lots, usage, late usage, payments, closes.

use super::*;
use crate::balance_summaries::BalanceBooks;
use crate::correction::{Correction, corrections};
use crate::credits::{BalanceSummary, Exclusions, OpenLot};
use crate::invoice::InvoiceTerms;
use crate::tax::{Liability, TaxRule, TaxTable};
use calendar::BillingPeriod;
use money::{Fixed18, Rounding};

/// Millionths of a dollar by meter.
type Usage = Vec<(u8, i64)>;

/// What happens in one month.
#[derive(Debug, Clone)]
struct Month {
    usage: Usage,
    /// Lots that begin: prepaid or given, cents, months that they hold.
    lots: Vec<(bool, i64, i32)>,
    /// What an earlier month turns out to have been: months back, and its usage.
    late: Option<(usize, Usage)>,
    /// Cents that the payer sends.
    paid: i64,
}

/// The payer's books and what is known of each month.
#[derive(Default)]
struct Payer {
    ledger: Ledger,
    /// All entries, with the number of the month they were made in.
    booked: Vec<(usize, Entry)>,
    number: usize,
    lots: Vec<Lot>,
    scratch: Vec<LineSums>,
    invoices: Vec<Invoice>,
    corrections: Vec<Correction>,
}

fn month(number: usize) -> BillingPeriod {
    period("2026-01").plus_months(i32::try_from(number).unwrap()).unwrap()
}

fn line_sums(usage: &Usage, of: BillingPeriod) -> LineSums {
    let template = invoice_of("x", &["1"], "0", &[]).lines[0].key.clone();
    let mut sums = LineSums::default();
    for (meter, millionths) in usage {
        let meter = Some(meter_id(&format!("m{meter}")));
        let key = LineKey { meter, service_period: of.interval(), ..template.clone() };
        let major = Fixed18::from_atoms(i128::from(*millionths) * 1_000_000_000_007);
        sums.add(key, Cost { major, currency: usd() }).unwrap();
    }
    sums
}

impl Payer {
    fn held(&self, account: &LedgerAccount) -> Money {
        self.ledger.balances().of(account, usd())
    }

    fn left(&self, lot: &Lot) -> Money {
        self.held(&lot_account(lot.kind, &lot.id))
    }

    fn in_lots(&self) -> Money {
        Money::checked_sum(usd(), self.lots.iter().map(|lot| self.left(lot))).unwrap()
    }

    /// Posts, and posts again: the second time nothing is new.
    fn post(&mut self, entries: Vec<Entry>) {
        let count = entries.len();
        assert_eq!(self.ledger.post(entries.clone()).unwrap(), count);
        self.booked.extend(entries.iter().map(|entry| (self.number, entry.clone())));
        let before = self.ledger.balances().clone();
        assert_eq!(self.ledger.post(entries).unwrap(), 0);
        assert_eq!(self.ledger.balances(), &before);
    }

    /// Lots of a month; gives what was bought and what was given.
    fn grant(&mut self, number: usize, lots: &[(bool, i64, i32)]) -> (Money, Money) {
        let (mut bought, mut given) = (cents(0), cents(0));
        let from = month(number);
        for (place, (is_prepaid, granted, months)) in lots.iter().enumerate() {
            let until = from.plus_months(*months).unwrap().start();
            let id = format!("{}{number}-{place}", if *is_prepaid { "p" } else { "c" });
            let lot = Lot {
                holds: calendar::Interval::new(from.start(), until).unwrap(),
                granted: cents(*granted),
                ..march_lot(&format!("{id} 0"))
            };
            let sum = if *is_prepaid { &mut bought } else { &mut given };
            *sum = sum.checked_add(lot.granted).unwrap();
            self.post(vec![super::grant(&lot, from.start()).unwrap()]);
            self.lots.push(lot);
        }
        (bought, given)
    }

    /// The open period's charges: its own, and what earlier periods are short of.
    fn charges(&mut self, number: usize) -> LineSums {
        let mut sums = self.scratch[number].clone();
        for (invoice, scratch) in self.invoices.iter().zip(&self.scratch) {
            let made = corrections(invoice, &self.corrections, scratch).unwrap();
            for correction in &made {
                let (key, cost) = correction.charge();
                sums.add(key, cost).unwrap();
            }
            self.corrections.extend(made);
        }
        sums
    }

    fn close(&mut self, number: usize, sums: &LineSums) {
        let (category, seller) = (tax_category("standard"), legal_entity("us"));
        let rule = TaxRule {
            category: category.clone(),
            seller: seller.clone(),
            buyer: legal_entity("them"),
            rate: n("0.19"),
            liability: Liability::Seller,
        };
        let lots: Vec<OpenLot<'_>> =
            self.lots.iter().map(|lot| OpenLot { lot, left: self.left(lot) }).collect();
        let terms = InvoiceTerms {
            id: &document(&format!("d-{number}")),
            billing_account: &account("a"),
            seller: &seller,
            period: month(number),
            currency: usd(),
            rates: &[],
            lots: &lots,
            separately: &Exclusions::default(),
            taxes: &TaxTable::from([(category, rule)]),
            rounding: Rounding::default(),
        };
        let invoice = crate::invoice::draft(&terms, sums).unwrap();
        self.post(super::super::invoice(&invoice, month(number).end()).unwrap());
        self.invoices.push(invoice);
    }

    /// Ends the lots of a month; gives what they still held.
    fn expire(&mut self, number: usize) -> Money {
        let is_over = |lot: &&Lot| lot.holds.end() == month(number).end();
        let over: Vec<Lot> = self.lots.iter().filter(is_over).cloned().collect();
        let mut sum = cents(0);
        for lot in over {
            let left = self.left(&lot);
            sum = sum.checked_add(left).unwrap();
            self.post(vec![expiry(&lot, left).unwrap()]);
        }
        sum
    }

    fn pay(&mut self, number: usize, amount: i64) {
        let owed = |invoice: &Invoice| DocumentAmount {
            document: invoice.id.clone(),
            amount: self.held(&LedgerAccount::Receivable(invoice.id.clone())),
        };
        let owed: Vec<DocumentAmount> = self.invoices.iter().map(owed).collect();
        let id = payment_id(&format!("pay-{number}"));
        let payment = Payment { id, at: month(number).end(), amount: cents(amount) };
        let settled = settle(payment.amount, &owed).unwrap();
        self.post(vec![super::super::payment(&payment, &settled).unwrap()]);
    }

    /// Lives through a month; what lots hold behind it is what the balance summary says.
    fn live(&mut self, number: usize, what: &Month) {
        self.number = number;
        let beginning = self.in_lots();
        let (new_purchases, given) = self.grant(number, &what.lots);
        self.scratch.push(line_sums(&what.usage, month(number)));
        if let Some((back, usage)) = &what.late
            && let Some(place) = number.checked_sub(*back)
            && place < number
        {
            self.scratch[place] = line_sums(usage, month(place));
        }
        let sums = self.charges(number);
        self.close(number, &sums);
        let adjustments = given.checked_sub(self.expire(number)).unwrap();
        let totals = self.invoices[number].drawn().totals().unwrap();
        let summary = BalanceSummary { beginning, new_purchases, adjustments, totals };
        assert_eq!(summary.ending().unwrap(), self.in_lots());
        let charged = self.invoices[number].totals().unwrap().charges;
        assert_eq!(totals.total_usage().unwrap(), charged);
        let folded = self.folded().of(month(number), self.in_lots()).unwrap();
        assert_eq!((folded.summary, folded.problem().unwrap()), (summary, None));
        self.pay(number, what.paid);
    }

    /// Entries and invoices by the month they belong to.
    fn folded(&self) -> BalanceBooks {
        let mut books = BalanceBooks::new(usd());
        for (number, entry) in &self.booked {
            books.add_entry(month(*number), entry).unwrap();
        }
        for invoice in &self.invoices {
            books.add_invoice(invoice.period, invoice).unwrap();
        }
        assert_eq!(books.held().unwrap(), self.in_lots());
        books
    }

    /// Exact sum of all that was ever billed, with the rounding rows of all lines.
    fn billed(&self) -> (Fixed18, Fixed18) {
        let lines = self.invoices.iter().flat_map(|invoice| &invoice.lines);
        let exact = Fixed18::checked_sum(lines.map(|line| line.exact.major)).unwrap();
        let rows = self.invoices.iter().flat_map(|invoice| invoice.rounding_rows().unwrap());
        (exact, Fixed18::checked_sum(rows.map(|row| row.cost.major)).unwrap())
    }
}

fn any_usage() -> impl Strategy<Value = Usage> {
    prop::collection::vec((0_u8..4, -2_000_000_i64..30_000_000), 0..6)
}

fn any_month() -> impl Strategy<Value = Month> {
    let lot = (any::<bool>(), 0_i64..4_000, 1_i32..4);
    let late = prop::option::of((1_usize..4, any_usage()));
    (any_usage(), prop::collection::vec(lot, 0..3), late, 1_i64..9_000)
        .prop_map(|(usage, lots, late, paid)| Month { usage, lots, late, paid })
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn the_books_of_any_history_hold(months in prop::collection::vec(any_month(), 1..6)) {
        let mut payer = Payer::default();
        for (number, what) in months.iter().enumerate() {
            payer.live(number, what);
            // All that was billed is all that should have been: from scratch, in every period.
            let should = payer.scratch.iter().flat_map(LineSums::iter).map(|(_, cost)| cost.major);
            let should = Fixed18::checked_sum(should).unwrap();
            let (exact, rounding) = payer.billed();
            prop_assert_eq!(exact, should);
            // Rated rows + rounding rows = ledger, exactly.
            let revenue = payer.held(&LedgerAccount::Revenue(ChargeCategory::Usage));
            let revenue = revenue.to_cost().unwrap().major;
            prop_assert_eq!(exact.checked_add(rounding).unwrap(), revenue);
        }
    }
}
