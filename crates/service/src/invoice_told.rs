//! An invoice with what stands around it: its billing profile, what was paid of it, the invoices
//! before and behind it of the same charges.

use crate::documents::{Document, File, INVOICE};
use crate::structure::Look;
use calendar::Instant;
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
    pub(crate) payer: BillingAccountId,
    /// The invoices, all notes, and what the ledger holds.
    pub(crate) file: File,
    /// All documents of the payer, by seller and number.
    pub(crate) heads: Vec<DocumentHead>,
    /// What settled invoices.
    pub(crate) entries: Vec<Entry>,
}

impl Around {
    /// The invoices as they stand now, in their order.
    pub(crate) fn told(&self, look: &Look, now: Instant) -> Result<Vec<InvoiceTold>> {
        let invoices = self.file.rows.iter().filter(|row| row.kind == INVOICE);
        invoices.map(|row| self.invoice(look, row, now)).collect()
    }

    fn invoice(&self, look: &Look, row: &DocumentRow, now: Instant) -> Result<InvoiceTold> {
        let part = part_of(&row.id, &self.payer)?;
        let part = part.ok_or_else(|| Error::not_found("invoice", row.id.clone()))?;
        let document = self.file.invoice(row, now)?;
        let line = self.line_of(&document.invoice.id)?;
        let at = line.iter().position(|one| one.invoice == document.number).unwrap_or(0);
        let (replaces, rest) = line.split_at(at.min(line.len()));
        let number = |one: &Replaced| one.invoice.clone();
        let replaced_by = rest.get(1).map(number).zip(rest.last().map(number));
        Ok(InvoiceTold {
            payments: payments_of(&self.entries, &document.invoice.id),
            profile: part.profile().and_then(|id| self.profile(look, id, row.issued_at)),
            replaces: replaces.to_vec(),
            replaced_by,
            part,
            document,
        })
    }

    /// An invoice with those before and behind it that have the same charges, oldest first.
    fn line_of(&self, id: &DocumentId) -> Result<Vec<Replaced>> {
        let own = Part::of_id(id, &self.payer);
        let mut line = Vec::new();
        for head in self.heads.iter().filter(|head| head.kind == INVOICE) {
            if Part::of_id(&DocumentId::new(&head.id)?, &self.payer) != own {
                continue;
            }
            let void = NoteKind::Void.name();
            let mut notes = self.heads.iter().filter(|note| note.amends == head.id);
            let void = notes.find(|note| note.kind == void).map(number_in).transpose()?;
            line.push((head.issued_at, Replaced { invoice: number_in(head)?, void }));
        }
        line.sort_by(|(at, one), (than, other)| (at, &one.invoice).cmp(&(than, &other.invoice)));
        Ok(line.into_iter().map(|(_, one)| one).collect())
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

/// What entries gave to an invoice, oldest first.
fn payments_of(entries: &[Entry], invoice: &DocumentId) -> Vec<InvoicePayment> {
    let is_for = |account: &LedgerAccount| match account {
        // Money may make good for what was written off.
        LedgerAccount::Receivable(document) | LedgerAccount::WriteOff(document) => {
            document == invoice
        }
        LedgerAccount::OpenCredit
        | LedgerAccount::Credit(_)
        | LedgerAccount::Prepayment(_)
        | LedgerAccount::Granted
        | LedgerAccount::Expired
        | LedgerAccount::Revenue(_)
        | LedgerAccount::TaxPayable(_)
        | LedgerAccount::Payments
        | LedgerAccount::NotBilled(_) => false,
    };
    let mut payments = Vec::new();
    for entry in entries {
        let is_own = matches!(entry.purpose(), Purpose::OpenCreditApplied { .. });
        let source = if is_own { PaymentSource::OpenCredit } else { PaymentSource::Money };
        let given = entry.postings().iter();
        let given = given.filter(|one| one.side == Side::Credit && is_for(&one.account));
        payments.extend(given.map(|one| InvoicePayment {
            at: entry.at(),
            amount: one.amount,
            source,
        }));
    }
    payments.sort_by_key(|payment| payment.at);
    payments
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
        let check = |id: &str, expected: &[(&str, i128, PaymentSource)]| {
            let paid = payments_of(&entries, &document(id));
            let paid: Vec<_> = paid.iter().map(|one| (one.at, one.amount, one.source)).collect();
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
