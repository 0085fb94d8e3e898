//! Canonical bytes of the books: ledger entries, invoices and notes, as the chain of closes covers
//! them. The rules are those of the module above: fixed order, little-endian, lengths in front.

mod read;

pub use read::{decode_corrections, decode_entry, decode_invoice, decode_note};

use super::{put_cost, put_fixed, put_instant, put_interval, put_length, put_option, put_text};
use crate::correction::Correction;
use crate::credits::{Coverage, LotKind, LotPart};
use crate::invoice::{ExchangeRate, Invoice, Line, LineKey, LineReference};
use crate::ledger::{Entry, Posting, Purpose, Side};
use crate::notes::{Note, NoteKind, NoteLine};
use crate::tax::{DocumentTax, Liability, TaxRule};
use money::Money;

/// First byte of every encoded ledger entry.
pub const ENTRY_VERSION: u8 = 1;
/// First byte of every encoded invoice.
pub const INVOICE_VERSION: u8 = 1;
/// First byte of every encoded note. No books hold one of version 1, which had no reason.
pub const NOTE_VERSION: u8 = 2;
/// First byte of every encoded list of corrections.
pub const CORRECTIONS_VERSION: u8 = 1;

/// The bytes of what an entry stands for: its key in the payer's ledger.
pub fn purpose_key(purpose: &Purpose) -> Vec<u8> {
    let mut out = Vec::new();
    put_purpose(&mut out, purpose);
    out
}

/// The keys of what settles invoices, payments and open credit, and of nothing else: from the first
/// of these up to the second.
pub const SETTLING: (&[u8], &[u8]) = (&[4], &[6]);

/// The bytes of what makes charges one line.
pub fn line_key(key: &LineKey) -> Vec<u8> {
    let mut out = Vec::new();
    put_line_key(&mut out, key);
    out
}

/// The canonical bytes of a ledger entry.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut out = vec![ENTRY_VERSION];
    put_purpose(&mut out, entry.purpose());
    put_instant(&mut out, entry.at());
    put_length(&mut out, entry.postings().len());
    for Posting { account, side, amount } in entry.postings() {
        put_text(&mut out, &account.to_string());
        out.push(match side {
            Side::Debit => 0,
            Side::Credit => 1,
        });
        put_money(&mut out, *amount);
    }
    out
}

/// The canonical bytes of an invoice, without its number.
pub fn encode_invoice(invoice: &Invoice) -> Vec<u8> {
    let Invoice { id, billing_account, seller, period, currency, lines, taxes, replaces } = invoice;
    let mut out = vec![INVOICE_VERSION];
    put_text(&mut out, id.as_str());
    put_text(&mut out, billing_account.as_str());
    put_text(&mut out, seller.as_str());
    out.extend_from_slice(&period.number().to_le_bytes());
    put_text(&mut out, currency.code());
    put_length(&mut out, lines.len());
    for line in lines {
        put_line(&mut out, line);
    }
    put_length(&mut out, taxes.len());
    for tax in taxes {
        put_tax(&mut out, tax);
    }
    put_option(&mut out, replaces.as_ref(), |out, id| put_text(out, id.as_str()));
    out
}

/// The canonical bytes of a note, without its number.
pub fn encode_note(note: &Note) -> Vec<u8> {
    let Note { id, kind, billing_account, seller, amends, reason, currency, lines } = note;
    let mut out = vec![NOTE_VERSION];
    put_text(&mut out, id.as_str());
    out.push(match kind {
        NoteKind::Credit => 0,
        NoteKind::Void => 1,
    });
    put_text(&mut out, billing_account.as_str());
    put_text(&mut out, seller.as_str());
    put_text(&mut out, amends.as_str());
    put_text(&mut out, reason);
    put_text(&mut out, currency.code());
    put_length(&mut out, lines.len());
    for NoteLine { number, amends, net, tax, tax_category, lots, set_off } in lines {
        put_number(&mut out, *number);
        put_number(&mut out, *amends);
        put_money(&mut out, *net);
        put_money(&mut out, *tax);
        put_text(&mut out, tax_category.as_str());
        put_parts(&mut out, lots);
        put_money(&mut out, *set_off);
    }
    out
}

/// The canonical bytes of corrections that no line of an invoice shows.
pub fn encode_corrections(corrections: &[Correction]) -> Vec<u8> {
    let mut out = vec![CORRECTIONS_VERSION];
    put_length(&mut out, corrections.len());
    for Correction { amends, key, cost } in corrections {
        put_reference(&mut out, amends);
        put_line_key(&mut out, key);
        put_cost(&mut out, *cost);
    }
    out
}

fn put_number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_money(out: &mut Vec<u8>, money: Money) {
    out.extend_from_slice(&money.minor().to_le_bytes());
    put_text(out, money.currency().code());
}

fn put_purpose(out: &mut Vec<u8>, purpose: &Purpose) {
    let (code, id) = match purpose {
        Purpose::Line { document, .. } => (0, document.as_str()),
        Purpose::Tax { document, .. } => (1, document.as_str()),
        Purpose::Drawdown { document, .. } => (2, document.as_str()),
        Purpose::Surplus { document } => (3, document.as_str()),
        Purpose::OpenCreditApplied { document, .. } => (4, document.as_str()),
        Purpose::Payment { payment } => (5, payment.as_str()),
        Purpose::Refund { payment } => (6, payment.as_str()),
        Purpose::Grant { lot } => (7, lot.as_str()),
        Purpose::Expiry { lot } => (8, lot.as_str()),
        Purpose::WriteOff { document } => (9, document.as_str()),
        Purpose::NotBilled { document, .. } => (10, document.as_str()),
        Purpose::ExpiryAgain { note, .. } => (11, note.as_str()),
    };
    out.push(code);
    put_text(out, id);
    match purpose {
        Purpose::Line { document: _, line: number }
        | Purpose::Tax { document: _, tax: number }
        | Purpose::OpenCreditApplied { document: _, number }
        | Purpose::NotBilled { document: _, number } => put_number(out, *number),
        Purpose::Drawdown { document: _, lot } | Purpose::ExpiryAgain { note: _, lot } => {
            put_text(out, lot.as_str());
        }
        Purpose::Surplus { document: _ }
        | Purpose::Payment { payment: _ }
        | Purpose::Refund { payment: _ }
        | Purpose::Grant { lot: _ }
        | Purpose::Expiry { lot: _ }
        | Purpose::WriteOff { document: _ } => {}
    }
}

fn put_line(out: &mut Vec<u8>, line: &Line) {
    let Line { number, key, pricing, exchange, exact, booked, .. } = line;
    put_number(out, *number);
    put_line_key(out, key);
    put_cost(out, *pricing);
    put_option(out, exchange.as_ref(), put_rate);
    put_cost(out, *exact);
    put_money(out, *booked);
    let Line { coverage, set_off, paid, left, tax, .. } = line;
    out.push(match coverage {
        Coverage::Covered => 0,
        Coverage::Separate => 1,
        Coverage::Purchase => 2,
        Coverage::Marketplace => 3,
    });
    put_money(out, *set_off);
    put_parts(out, paid);
    put_money(out, *left);
    put_money(out, *tax);
}

fn put_line_key(out: &mut Vec<u8>, key: &LineKey) {
    let LineKey {
        section,
        category,
        subscription,
        meter,
        item,
        service_period,
        tax,
        amends,
        buys,
        rate,
    } = key;
    put_option(out, section.as_ref(), |out, id| put_text(out, id.as_str()));
    out.push(*category as u8);
    put_option(out, subscription.as_ref(), |out, id| put_text(out, id.as_str()));
    put_option(out, meter.as_ref(), |out, id| put_text(out, id.as_str()));
    put_text(out, item);
    put_interval(out, *service_period);
    put_text(out, tax.as_str());
    put_option(out, amends.as_ref(), put_reference);
    put_option(out, buys.as_ref(), |out, id| put_text(out, id.as_str()));
    put_option(out, rate.as_deref(), put_text);
}

fn put_reference(out: &mut Vec<u8>, LineReference { document, line }: &LineReference) {
    put_text(out, document.as_str());
    put_option(out, *line, put_number);
}

fn put_rate(out: &mut Vec<u8>, exchange: &ExchangeRate) {
    let ExchangeRate { id, from, to, rate, source, at } = exchange;
    put_text(out, id);
    put_text(out, from.code());
    put_text(out, to.code());
    put_fixed(out, *rate);
    put_text(out, source);
    put_instant(out, *at);
}

fn put_parts(out: &mut Vec<u8>, parts: &[LotPart]) {
    put_length(out, parts.len());
    for LotPart { lot, kind, amount } in parts {
        put_text(out, lot.as_str());
        out.push(match kind {
            LotKind::Credit => 0,
            LotKind::Prepayment => 1,
        });
        put_money(out, *amount);
    }
}

fn put_tax(out: &mut Vec<u8>, tax: &DocumentTax) {
    let DocumentTax { number, rule, taxable, tax } = tax;
    let TaxRule { category, seller, buyer, rate, liability } = rule;
    put_number(out, *number);
    put_text(out, category.as_str());
    put_text(out, seller.as_str());
    put_text(out, buyer.as_str());
    put_fixed(out, *rate);
    out.push(match liability {
        Liability::Seller => 0,
        Liability::ReverseCharge => 1,
    });
    put_money(out, *taxable);
    put_money(out, *tax);
}
