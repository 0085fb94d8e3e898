//! Explain a figure of an invoice or note: its total, a tax, what a lot paid, a section, a line.

use crate::explain_lines::Explained;
use crate::invoices::{Sums, TaxItem};
use crate::wire::listed;
use axum::Json;
use axum::extract::State;
use domain::invoice::{Addend, Addends, Figure};
use domain::numbering::DocumentNumber;
use domain::tax::DocumentTax;
use domain::{Error, Result};
use httpkit::{Asking, Faults, Parameters, Refusal};
use money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{ExplainedFigure, FigureAsked, Issued, LotHeld, Reckoner};

/// Explains a figure of an invoice or note.
pub(crate) async fn figure(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> std::result::Result<Json<Answer>, Refusal> {
    let Asked { document, of, cent, rows } = asked;
    let mut faults = Faults::default();
    let document = faults.read("document", DocumentNumber::parse(&document));
    let figure = faults.read("of", Figure::parse(of.as_deref().unwrap_or("total")));
    let (document, figure) = faults.end(document.zip(figure))?;
    let rows_shown = usize::try_from(listed(&reckoner, rows, 20)?).unwrap_or(usize::MAX);
    let asked = FigureAsked { document, figure, cent, rows_shown };
    Ok(Json(Answer::of(&reckoner.explain_figure(&caller, &asked).await?)?))
}

/// Which figure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    document: String,
    of: Option<String>,
    cent: Option<u64>,
    rows: Option<u64>,
}

/// How a figure came about.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    document: String,
    kind: &'static str,
    of: String,
    amount: String,
    currency: String,
    set_off: String,
    sums: Sums,
    parts: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TaxMade>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot: Option<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<Box<Explained>>,
}

/// What one line adds.
#[derive(Serialize, JsonSchema)]
struct Part {
    line: String,
    amends: Option<String>,
    share: String,
    set_off: String,
    sums: Sums,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_after: Option<String>,
}

impl Part {
    fn of(addend: &Addend, issued: &Issued) -> Result<Part> {
        let Addend { line, amends, share, sums, due } = addend;
        let (number, amended) = match issued {
            Issued::Invoice(document) => (&document.number, None),
            Issued::Note(note) => (&note.number, Some(&note.amends)),
        };
        let amends = amends.zip(amended).map(|(line, number)| format!("{number}/{line}"));
        Ok(Part {
            line: format!("{number}/{line}"),
            amends,
            share: share.major.to_string(),
            set_off: sums.set_off.digits(),
            sums: Sums::from(*sums),
            due_before: due.map(Money::digits),
            due_after: addend.due_after()?.map(Money::digits),
        })
    }
}

/// A tax, what it is before it is rounded, and what rounding did.
#[derive(Serialize, JsonSchema)]
struct TaxMade {
    #[serde(flatten)]
    tax: TaxItem,
    exact: String,
    rounding: String,
}

impl TaxMade {
    fn of(tax: &DocumentTax) -> Result<TaxMade> {
        let exact = tax.exact()?;
        let rounding = tax.tax.to_cost().and_then(|booked| booked.checked_sub(exact));
        let rounding = rounding.map_err(|e| Error::money("rounding of a tax", e))?;
        let (exact, rounding) = (exact.major.to_string(), rounding.major.to_string());
        Ok(TaxMade { tax: TaxItem::from(tax), exact, rounding })
    }
}

/// What a lot held before and after it paid.
#[derive(Serialize, JsonSchema)]
struct Held {
    held_before: String,
    held_after: String,
}

impl From<LotHeld> for Held {
    fn from(LotHeld { before, after }: LotHeld) -> Held {
        Held { held_before: before.digits(), held_after: after.digits() }
    }
}

impl Answer {
    pub(crate) fn of(explained: &ExplainedFigure) -> Result<Answer> {
        let ExplainedFigure { document: issued, addends, held, line } = explained;
        let Addends { figure, amount, sums, parts } = addends;
        let (number, kind, reason) = match issued {
            Issued::Invoice(document) => (&document.number, "invoice", None),
            Issued::Note(issued) => {
                let reason = Some(issued.note.reason.clone());
                (&issued.number, issued.note.kind.name(), reason)
            }
        };
        let parts = parts.iter().map(|part| Part::of(part, issued));
        Ok(Answer {
            document: number.to_string(),
            kind,
            of: figure.to_string(),
            amount: amount.major.to_string(),
            currency: amount.currency.to_string(),
            set_off: sums.set_off.digits(),
            sums: Sums::from(*sums),
            parts: parts.collect::<Result<_>>()?,
            tax: explained.tax().map(TaxMade::of).transpose()?,
            lot: held.map(Held::from),
            reason,
            line: line.as_deref().map(Explained::of).transpose()?.map(Box::new),
        })
    }
}
