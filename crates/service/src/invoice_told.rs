//! An invoice with what stands around it: its billing profile, what was paid of it, the invoices
//! before and behind it of the same charges.

use crate::documents::{Document, File, INVOICE};
use crate::structure::Look;
use calendar::{BillingPeriod, Instant};
use domain::closes::Part;
use domain::ids::{BillingAccountId, DocumentId, LegalEntityId, PlaceId};
use domain::invoice::LineKey;
use domain::ledger::{Entry, LedgerAccount, Purpose, Side};
use domain::notes::NoteKind;
use domain::numbering::DocumentNumber;
use domain::places::{Detail, Level, Place, PlaceKey};
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use money::{Currency, Money, MoneyError};
use std::collections::BTreeMap;
use store::{DocumentHead, DocumentRow};

/// An invoice with what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceTold {
    /// As it was issued, and where it stands.
    pub document: Document,
    /// Whose charges it has, and which.
    pub part: Part,
    /// The billing profile whose charges it has.
    pub profile: Option<InvoicedProfile>,
    /// What was paid of it, oldest first.
    pub payments: Vec<InvoicePayment>,
    /// The voided invoices before it of the same charges, oldest first.
    pub replaces: Vec<Replaced>,
    /// The one that was issued in its place, and the newest of all that were.
    pub replaced_by: Option<(DocumentNumber, DocumentNumber)>,
}

/// An invoice in whose place others stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Its number.
    pub invoice: DocumentNumber,
    /// The number of the note that withdrew it.
    pub void: Option<DocumentNumber>,
}

/// A billing profile as it was when the invoice was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicedProfile {
    /// Which one.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The purchase order that is named on invoices; may be empty.
    pub order_number: String,
}

/// What an invoice got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvoicePayment {
    /// When: business time.
    pub at: Instant,
    /// Minor units, above zero.
    pub amount: Money,
    /// Of what.
    pub source: PaymentSource,
}

/// Of what an invoice was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentSource {
    /// Money came in.
    Money,
    /// What the payer had in its favour.
    OpenCredit,
}

/// What an invoice charges, and what it gives back for earlier ones: booked amounts, both above
/// zero. Their difference are the invoice's charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// All but what is given back.
    pub charged: Money,
    /// What lines below zero give back: those that correct an earlier invoice, and refunds.
    pub returned: Money,
}

impl InvoiceTold {
    /// What it charges and gives back.
    ///
    /// Errors: [`Error::Money`].
    pub fn charged(&self) -> Result<Charged> {
        let invoice = &self.document.invoice;
        let of = |source| Error::money(format!("charges of {}", invoice.id), source);
        let booked = invoice.lines.iter().map(|line| (&line.key, line.booked));
        sums(invoice.currency, booked).map_err(of)
    }
}

fn sums<'a>(
    currency: Currency,
    booked: impl Iterator<Item = (&'a LineKey, Money)>,
) -> std::result::Result<Charged, MoneyError> {
    let mut sums = Charged { charged: Money::zero(currency), returned: Money::zero(currency) };
    for (key, amount) in booked {
        let is_given_back = key.amends.is_some() || key.category == ChargeCategory::Refund;
        if is_given_back && amount.is_negative() {
            sums.returned = sums.returned.checked_sub(amount)?;
        } else {
            sums.charged = sums.charged.checked_add(amount)?;
        }
    }
    Ok(sums)
}

/// What stands around some invoices of a payer.
pub(crate) struct Around {
    payer: BillingAccountId,
    /// The invoices, the notes on them, and what the ledger holds.
    file: File,
    /// All invoices of the payer that have the same charges, oldest first.
    lines: BTreeMap<(BillingPeriod, Part), Vec<Replaced>>,
    payments: BTreeMap<DocumentId, Vec<InvoicePayment>>,
}

impl Around {
    /// Of all documents of the payer, and what settled them.
    pub(crate) fn of(
        payer: BillingAccountId,
        file: File,
        heads: &[DocumentHead],
        entries: &[Entry],
    ) -> Result<Around> {
        let lines = lines_of(&payer, heads)?;
        Ok(Around { payer, file, lines, payments: payments_of(entries) })
    }

    /// An invoice as it stands now.
    pub(crate) fn told(&self, look: &Look, row: &DocumentRow, now: Instant) -> Result<InvoiceTold> {
        let of = Part::of_id(&DocumentId::new(&row.id)?, &self.payer);
        let of = of.ok_or_else(|| Error::not_found("invoice", row.id.clone()))?;
        let document = self.file.invoice(row, now)?;
        let line = self.lines.get(&of).map(Vec::as_slice).unwrap_or_default();
        let at = line.iter().position(|one| one.invoice == document.number).unwrap_or(0);
        let (replaces, rest) = line.split_at(at.min(line.len()));
        let number = |one: &Replaced| one.invoice.clone();
        let replaced_by = rest.get(1).map(number).zip(rest.last().map(number));
        let (_, part) = of;
        Ok(InvoiceTold {
            payments: self.payments.get(&document.invoice.id).cloned().unwrap_or_default(),
            profile: part.profile().and_then(|id| self.profile(look, id, row.issued_at)),
            replaces: replaces.to_vec(),
            replaced_by,
            part,
            document,
        })
    }

    fn profile(&self, look: &Look, id: &str, at: Instant) -> Option<InvoicedProfile> {
        let id = PlaceId::new(id).ok()?;
        let key = PlaceKey { level: Level::BillingProfile, id };
        let place = Place { billing_account: self.payer.clone(), key };
        let facts = look.company.places.facts_at(&place, at);
        let facts = facts.or_else(|| look.company.places.facts_at(&place, look.now))?;
        let order_number = match &facts.detail {
            Detail::BillingProfile(profile) => profile.order_number.clone(),
            Detail::InvoiceSection
            | Detail::Customer(_)
            | Detail::Department { .. }
            | Detail::EnrollmentAccount
            | Detail::MessagingAccount { .. } => String::new(),
        };
        Some(InvoicedProfile { place, name: facts.name.clone(), order_number })
    }
}

/// The invoices of a payer that have the same charges, oldest first.
fn lines_of(
    payer: &BillingAccountId,
    heads: &[DocumentHead],
) -> Result<BTreeMap<(BillingPeriod, Part), Vec<Replaced>>> {
    let void = NoteKind::Void.name();
    let voids = heads.iter().filter(|head| head.kind == void);
    let voids: BTreeMap<&str, &DocumentHead> =
        voids.map(|head| (head.amends.as_str(), head)).collect();
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for head in heads.iter().filter(|head| head.kind == INVOICE) {
        let Some(of) = Part::of_id(&DocumentId::new(&head.id)?, payer) else { continue };
        let void = voids.get(head.id.as_str()).map(|void| number_in(void)).transpose()?;
        found.entry(of).or_default().push((head.issued_at, number_in(head)?, void));
    }
    let replaced = |(_, invoice, void)| Replaced { invoice, void };
    let sorted = found.into_iter().map(|(of, mut line)| {
        line.sort();
        (of, line.into_iter().map(replaced).collect::<Vec<_>>())
    });
    Ok(sorted.collect())
}

/// What entries gave to each invoice, oldest first.
fn payments_of(entries: &[Entry]) -> BTreeMap<DocumentId, Vec<InvoicePayment>> {
    let mut payments: BTreeMap<DocumentId, Vec<InvoicePayment>> = BTreeMap::new();
    for entry in entries {
        let is_own = matches!(entry.purpose(), Purpose::OpenCreditApplied { .. });
        let source = if is_own { PaymentSource::OpenCredit } else { PaymentSource::Money };
        for one in entry.postings().iter().filter(|one| one.side == Side::Credit) {
            if let Some(invoice) = invoice_in(&one.account) {
                let paid = InvoicePayment { at: entry.at(), amount: one.amount, source };
                payments.entry(invoice.clone()).or_default().push(paid);
            }
        }
    }
    payments.values_mut().for_each(|own| own.sort_by_key(|payment| payment.at));
    payments
}

/// The invoice that is paid by what is given to a ledger account.
fn invoice_in(account: &LedgerAccount) -> Option<&DocumentId> {
    match account {
        // Money may make good for what was written off.
        LedgerAccount::Receivable(document) | LedgerAccount::WriteOff(document) => Some(document),
        LedgerAccount::OpenCredit
        | LedgerAccount::Credit(_)
        | LedgerAccount::Prepayment(_)
        | LedgerAccount::Granted
        | LedgerAccount::Expired
        | LedgerAccount::Revenue(_)
        | LedgerAccount::TaxPayable(_)
        | LedgerAccount::Payments
        | LedgerAccount::NotBilled(_) => None,
    }
}

/// The part that an invoice's id stands for; none where it is none of its payer's.
pub(crate) fn part_of(id: &str, payer: &BillingAccountId) -> Result<Option<Part>> {
    Ok(Part::of_id(&DocumentId::new(id)?, payer).map(|(_, part)| part))
}

/// A document's number.
pub(crate) fn number_in(head: &DocumentHead) -> Result<DocumentNumber> {
    Ok(DocumentNumber { seller: LegalEntityId::new(&head.seller)?, sequence: head.sequence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Interval;
    use domain::ids::{PaymentId, TaxCategory};
    use domain::invoice::LineReference;
    use domain::payments::{DocumentAmount, Payment, Settled};
    use domain::posting;

    fn usd(minor: i128) -> Money {
        Money::from_minor(minor, Currency::parse("USD").unwrap())
    }

    fn document(id: &str) -> DocumentId {
        DocumentId::new(id).unwrap()
    }

    fn key(category: ChargeCategory) -> LineKey {
        LineKey {
            section: None,
            category,
            subscription: None,
            meter: None,
            item: String::new(),
            service_period: Interval::always(),
            tax: TaxCategory::new("standard").unwrap(),
            amends: None,
            buys: None,
            rate: None,
        }
    }

    #[test]
    fn what_an_invoice_charges_less_what_it_gives_back_are_its_charges() {
        let check = |lines: &[(&LineKey, i128)], charged: i128, returned: i128| {
            let booked = lines.iter().map(|(key, minor)| (*key, usd(*minor)));
            let told = sums(usd(0).currency(), booked).unwrap();
            assert_eq!(told, Charged { charged: usd(charged), returned: usd(returned) });
            let all: i128 = lines.iter().map(|(_, minor)| minor).sum();
            assert_eq!(charged - returned, all);
        };
        let usage = key(ChargeCategory::Usage);
        let earlier = LineReference { document: document("a/2026-08"), line: Some(1) };
        let corrected = LineKey { amends: Some(earlier), ..usage.clone() };
        check(&[], 0, 0);
        check(&[(&usage, 3_399), (&corrected, -200)], 3_399, 200);
        check(&[(&corrected, 30)], 30, 0);
        // A discount is no return.
        check(&[(&usage, 500), (&usage, -100), (&corrected, -50), (&corrected, -7)], 400, 57);
        // A reservation that was cancelled corrects no line.
        check(&[(&usage, 100), (&key(ChargeCategory::Refund), -40)], 100, 40);
    }

    #[test]
    fn invoices_of_the_same_charges_stand_together_oldest_first() {
        let mut sequence = 0;
        let mut head = |id: &str, kind: &str, amends: &str, at: &str| {
            sequence += 1;
            DocumentHead {
                id: id.to_owned(),
                kind: kind.to_owned(),
                amends: amends.to_owned(),
                seller: "reck".to_owned(),
                sequence,
                issued_at: Instant::parse(at).unwrap(),
            }
        };
        let void = NoteKind::Void.name();
        let heads = [
            head("a/2026-09/rebill/1", INVOICE, "", "2026-10-09"),
            head("a/2026-09", INVOICE, "", "2026-10-01"),
            head("a/2026-09/void", void, "a/2026-09", "2026-10-09"),
            head("a/2026-09/credit", NoteKind::Credit.name(), "a/2026-09", "2026-10-05"),
            head("a/2026-09/marketplace", INVOICE, "", "2026-10-01"),
            head("a/2026-10", INVOICE, "", "2026-11-01"),
        ];
        let lines = lines_of(&BillingAccountId::new("a").unwrap(), &heads).unwrap();
        let told = |one: &Replaced| (one.invoice.sequence, one.void.as_ref().map(|by| by.sequence));
        let told: Vec<Vec<_>> =
            lines.values().map(|line| line.iter().map(told).collect()).collect();
        assert_eq!(told, [vec![(2, Some(3)), (1, None)], vec![(5, None)], vec![(6, None)]]);
    }

    #[test]
    fn an_invoice_was_paid_what_entries_gave_to_it() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let part =
            |id: &str, minor: i128| DocumentAmount { document: document(id), amount: usd(minor) };
        let money = Payment {
            id: PaymentId::new("bank-1").unwrap(),
            at: at("2026-10-14"),
            amount: usd(900),
        };
        let settled = Settled {
            parts: vec![part("a/2026-09", 500), part("a/2026-10", 300)],
            recovered: vec![part("a/2026-08", 60)],
            surplus: usd(40),
        };
        let entries = [
            posting::payment(&money, &settled).unwrap(),
            posting::open_credit(&part("a/2026-09", 25), 1, at("2026-10-05")).unwrap(),
        ];
        let payments = payments_of(&entries);
        let check = |id: &str, expected: &[(&str, i128, PaymentSource)]| {
            let paid = payments.get(&document(id)).into_iter().flatten();
            let paid: Vec<_> = paid.map(|one| (one.at, one.amount, one.source)).collect();
            let expected = expected.iter().map(|(day, minor, of)| (at(day), usd(*minor), *of));
            assert_eq!(paid, expected.collect::<Vec<_>>(), "{id}");
        };
        let first = ("2026-10-05", 25, PaymentSource::OpenCredit);
        check("a/2026-09", &[first, ("2026-10-14", 500, PaymentSource::Money)]);
        check("a/2026-10", &[("2026-10-14", 300, PaymentSource::Money)]);
        check("a/2026-08", &[("2026-10-14", 60, PaymentSource::Money)]);
        check("a/2026-11", &[]);
    }
}
