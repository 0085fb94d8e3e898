//! What becomes of issued invoices: credit notes, void notes, rebills, write-offs.

use crate::invoices::{Paid, Whole};
use axum::Json;
use axum::extract::State;
use domain::notes::{Note, NoteLine};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use httpkit::{Asking, Faults, JsonBody, Path, Refusal, RequestId};
use money::Fixed18;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{
    CreditLine, CreditNoteAsked, IssuedNote, Rebilled, Reckoner, Withdrawal, WrittenOff,
};

/// Makes a credit note on an invoice.
pub(crate) async fn credit(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(number): Path<String>,
    JsonBody(asked): JsonBody<Credit>,
) -> std::result::Result<Json<WholeNote>, Refusal> {
    let asked = asked.of(&number)?;
    let note = reckoner.credit_note(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(WholeNote::of(&note)?))
}

/// Withdraws an invoice.
pub(crate) async fn void(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(number): Path<String>,
    JsonBody(why): JsonBody<Why>,
) -> std::result::Result<Json<WholeNote>, Refusal> {
    let asked = why.of(&number)?;
    let note = reckoner.void_invoice(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(WholeNote::of(&note)?))
}

/// Withdraws an invoice and puts another in its place.
pub(crate) async fn rebill(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(number): Path<String>,
    JsonBody(why): JsonBody<Why>,
) -> std::result::Result<Json<Replaced>, Refusal> {
    let asked = why.of(&number)?;
    let rebilled = reckoner.rebill(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(Replaced::of(&rebilled)?))
}

/// Writes off what an invoice is owed.
pub(crate) async fn write_off(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(number): Path<String>,
    JsonBody(why): JsonBody<Why>,
) -> std::result::Result<Json<GivenUp>, Refusal> {
    let asked = why.of(&number)?;
    let written_off = reckoner.write_off(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(GivenUp::from(written_off)))
}

/// What to take back, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credit {
    id: String,
    lines: Vec<Back>,
    reason: String,
}

/// What to take back of a line.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Back {
    line: u32,
    amount: String,
}

impl Credit {
    fn of(self, number: &str) -> std::result::Result<CreditNoteAsked, Refusal> {
        let Credit { id, lines, reason } = self;
        let mut faults = Faults::default();
        let number = faults.read("number", DocumentNumber::parse(number));
        let mut read = Vec::with_capacity(lines.len());
        for (place, Back { line, amount }) in lines.into_iter().enumerate() {
            let amount = Fixed18::parse(&amount).map_err(|e| Error::invalid("", e.to_string()));
            let amount = faults.read(format!("lines[{place}].amount"), amount);
            read.extend(amount.map(|amount| CreditLine { line, amount }));
        }
        let asked = number.map(|number| CreditNoteAsked { id, number, lines: read, reason });
        faults.end(asked)
    }
}

/// Why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    reason: String,
}

impl Why {
    fn of(self, number: &str) -> std::result::Result<Withdrawal, Refusal> {
        let mut faults = Faults::default();
        let number = faults.read("number", DocumentNumber::parse(number));
        faults.end(number.map(|number| Withdrawal { number, reason: self.reason }))
    }
}

/// What was written off.
#[derive(Serialize, JsonSchema)]
pub(crate) struct GivenUp {
    amount: String,
    currency: String,
    is_new: bool,
}

impl From<WrittenOff> for GivenUp {
    fn from(WrittenOff { amount, is_new }: WrittenOff) -> GivenUp {
        let currency = amount.currency().to_string();
        GivenUp { amount: amount.digits(), currency, is_new }
    }
}

/// What withdrew an invoice, and what took its place.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Replaced {
    void: NoteShort,
    invoice: Whole,
}

impl Replaced {
    pub(crate) fn of(Rebilled { void, invoice }: &Rebilled) -> Result<Replaced> {
        Ok(Replaced { void: NoteShort::of(void)?, invoice: Whole::of(invoice)? })
    }
}

/// A note, in short.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NoteShort {
    kind: &'static str,
    number: String,
    id: String,
    amends: String,
    billing_account: String,
    seller: String,
    period: String,
    currency: String,
    total: String,
    reason: String,
    issued_at: String,
}

impl NoteShort {
    pub(crate) fn of(issued: &IssuedNote) -> Result<NoteShort> {
        let IssuedNote { number, note, amends, period, issued_at, approved_by: _, digest: _ } =
            issued;
        let Note { id, kind, billing_account, seller, reason, currency, .. } = note;
        Ok(NoteShort {
            kind: kind.name(),
            number: number.to_string(),
            id: id.to_string(),
            amends: amends.to_string(),
            billing_account: billing_account.to_string(),
            seller: seller.to_string(),
            period: period.to_string(),
            currency: currency.to_string(),
            total: note.due()?.digits(),
            reason: reason.clone(),
            issued_at: issued_at.to_string(),
        })
    }
}

/// A note with everything on it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WholeNote {
    #[serde(flatten)]
    short: NoteShort,
    approved_by: String,
    lines: Vec<NoteItem>,
    digest: String,
}

impl WholeNote {
    pub(crate) fn of(issued: &IssuedNote) -> Result<WholeNote> {
        Ok(WholeNote {
            short: NoteShort::of(issued)?,
            approved_by: issued.approved_by.clone(),
            lines: issued.note.lines.iter().map(NoteItem::from).collect(),
            digest: issued.digest.to_string(),
        })
    }
}

/// What a note takes back of one line.
#[derive(Serialize, JsonSchema)]
struct NoteItem {
    number: u32,
    amends: u32,
    net: String,
    tax: String,
    tax_category: String,
    lots: Vec<Paid>,
    set_off: String,
}

impl From<&NoteLine> for NoteItem {
    fn from(line: &NoteLine) -> NoteItem {
        let NoteLine { number, amends, net, tax, tax_category, lots, set_off } = line;
        NoteItem {
            number: *number,
            amends: *amends,
            net: net.digits(),
            tax: tax.digits(),
            tax_category: tax_category.to_string(),
            lots: lots.iter().map(Paid::from).collect(),
            set_off: set_off.digits(),
        }
    }
}
