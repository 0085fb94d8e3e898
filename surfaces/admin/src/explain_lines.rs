//! Explain an invoice's line: from a booked cent back to records, plans and terms.

use crate::explain::Answer;
use crate::invoices::{Amended, LineItem, TaxItem};
use crate::wire::listed;
use axum::Json;
use axum::extract::State;
use domain::Result;
use domain::numbering::DocumentNumber;
use httpkit::{Asking, Faults, Parameters, Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Behind, ExplainedLine, LineAsked, Reckoner, Rest};

/// Explains a line of an invoice.
pub(crate) async fn line(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> std::result::Result<Json<Explained>, Refusal> {
    let Asked { invoice, line, cent, rows } = asked;
    let mut faults = Faults::default();
    let document = faults.read("invoice", DocumentNumber::parse(&invoice));
    let document = faults.end(document)?;
    let rows_shown = usize::try_from(listed(&reckoner, rows, 20)?).unwrap_or(usize::MAX);
    let asked = LineAsked { document, line, cent, rows_shown };
    Ok(Json(Explained::of(&reckoner.explain_line(&caller, &asked).await?)?))
}

/// Which line.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    invoice: String,
    line: u32,
    cent: Option<u64>,
    rows: Option<u64>,
}

/// How a line came about.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Explained {
    invoice: String,
    line: LineItem,
    tax: Option<TaxItem>,
    #[serde(flatten)]
    behind: BehindIt,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<Beside>,
}

/// What of the line's exact sum is no rated row.
#[derive(Serialize, JsonSchema)]
struct Beside {
    cost: String,
    currency: String,
    why: String,
}

impl From<Rest> for Beside {
    fn from(Rest { cost, why }: Rest) -> Beside {
        Beside { cost: cost.major.to_string(), currency: cost.currency.to_string(), why }
    }
}

/// What it adds up.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BehindIt {
    Usage(Answer),
    Declared(String),
    Correction { amends: Amended, billed: Answer, from_scratch: Answer },
}

impl Explained {
    pub(crate) fn of(explained: &ExplainedLine) -> Result<Explained> {
        let ExplainedLine { document, line, tax, behind, rest } = explained;
        let behind = match behind.clone() {
            Behind::Usage(explanation) => BehindIt::Usage(explanation.into()),
            Behind::Declared(why) => BehindIt::Declared(why),
            Behind::Correction { amends, billed, from_scratch } => BehindIt::Correction {
                amends: Amended::from(&amends),
                billed: billed.into(),
                from_scratch: from_scratch.into(),
            },
        };
        Ok(Explained {
            invoice: document.number.to_string(),
            line: LineItem::of(line, None)?,
            tax: tax.as_ref().map(TaxItem::from),
            behind,
            rest: rest.clone().map(Beside::from),
        })
    }
}
