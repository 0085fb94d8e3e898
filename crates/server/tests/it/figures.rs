//! Figures of invoices and notes: each is the sum of its lines, and each cent leads to what was
//! charged.

use crate::books::{Books, on_each_store};
use crate::closing::{House, in_sections, may, moment, month};
use crate::in_process;
use domain::access::Caller;
use domain::invoice::{Figure, Invoice};
use domain::numbering::DocumentNumber;
use money::{Cost, Fixed18};
use service::{
    Behind, CloseMode, CreditLine, CreditNoteAsked, Document, ExplainedFigure, ExplainedLine,
    FigureAsked, Issued, LineAsked, Withdrawal,
};

/// Beside two invoice sections a plan in another currency, and a lot that does not pay for all.
const CHARGED: &str = r#"
[[price_list]]
id = "voice"
billing_account = "acme"
from = "2026-01"
currency = "USD"
prices = [{ meter = "calls", model = { per_unit = "0.0117" } }]

[[plan]]
billing_account = "acme"
id = "licence"
name = "Licence"
currency = "EUR"
amounts = [{ from = 2026-05-01, amount = "2" }]

[[exchange_rate]]
id = "may"
from = "EUR"
to = "USD"
rate = "1.0873"
source = "a bank"
at = 2026-04-30T14:00:00Z

[[lot]]
billing_account = "acme"
id = "welcome"
kind = "credit"
currency = "USD"
granted = "3"
from = 2026-01-01T00:00:00Z
until = 2027-01-01T00:00:00Z
"#;

/// Hours at another price: what was billed is corrected.
fn priced(price: &str) -> String {
    format!(
        "[[price_list]]\nid = \"card\"\noffer = \"metered\"\nregion = \"US\"\n\
         locales = [\"en-US\"]\ncurrency = \"USD\"\n\
         prices = [{{ meter = \"hours\", model = {{ per_unit = \"{price}\" }} }}]\n"
    )
}

fn asked(number: &DocumentNumber, figure: &Figure, cent: Option<u64>) -> FigureAsked {
    FigureAsked { document: number.clone(), figure: figure.clone(), cent, rows_shown: 100 }
}

async fn explained(house: &House, asked: &FigureAsked) -> ExplainedFigure {
    let told = house.reckoner.explain_figure(&Caller::Machine, asked).await;
    told.unwrap_or_else(|error| panic!("{asked:?}: {error:?}"))
}

/// Every figure that an invoice shows.
fn figures(invoice: &Invoice) -> Vec<Figure> {
    let mut all = vec![Figure::Total, Figure::Rounding];
    all.extend(invoice.taxes.iter().map(|tax| Figure::Tax(tax.rule.category.clone())));
    all.extend(invoice.sections().expect("sections").into_keys().map(Figure::Section));
    let lots = invoice.drawn().by_lot().expect("lots").into_keys();
    all.extend(lots.map(|(_, lot)| Figure::Lot(lot)));
    all.extend(invoice.lines.iter().map(|line| Figure::Line(line.number)));
    all
}

/// Cents of an amount: the first, some between, the last.
fn cents(minor: i128) -> Vec<u64> {
    let most = u64::try_from(minor.unsigned_abs()).expect("small");
    let some = [1, 2, most / 3, most / 2, most.saturating_sub(1), most];
    some.into_iter().filter(|cent| (1..=most).contains(cent)).collect()
}

/// A line is its rows and its rest; of one cent there is a row, or a charge that was declared.
fn leads_on(line: &ExplainedLine, is_cent: bool) {
    let none = Cost::zero(line.line.pricing.currency);
    let sum = |of: &service::Explanation| of.totals.values().next().copied().unwrap_or(none);
    let rest = line.rest.as_ref().map_or(none, |rest| rest.cost);
    match &line.behind {
        Behind::Declared(why) => assert!(!why.is_empty()),
        Behind::Usage(_) if is_cent => {}
        Behind::Usage(usage) => {
            let all = sum(usage).checked_add(rest).expect("small");
            assert_eq!(all, line.line.pricing, "{line:?}");
        }
        Behind::Correction { billed, from_scratch, .. } => {
            let all = sum(from_scratch).checked_sub(sum(billed)).expect("small");
            assert_eq!(all.checked_add(rest).expect("small"), line.line.pricing, "{line:?}");
        }
    }
    if is_cent {
        let rows = match &line.behind {
            Behind::Usage(usage) => usage.rows.len(),
            Behind::Declared(_) => 1,
            Behind::Correction { billed, from_scratch, .. } => {
                billed.rows.len() + from_scratch.rows.len()
            }
        };
        assert!(rows == 1 || (rows == 0 && line.rest.is_some()), "{rows} rows: {line:?}");
    }
}

async fn all_add_up(house: &House, number: &DocumentNumber) {
    let issued = house.reckoner.issued_one(&Caller::Machine, number).await.expect("a document");
    let figures = match &issued {
        Issued::Invoice(document) => figures(&document.invoice),
        Issued::Note(issued) => {
            let lines = issued.note.lines.iter();
            lines.map(|line| Figure::Line(line.number)).chain([Figure::Total]).collect()
        }
    };
    for figure in figures {
        let told = explained(house, &asked(number, &figure, None)).await;
        let shares = told.addends.parts.iter().map(|part| part.share.major);
        assert_eq!(Fixed18::checked_sum(shares).expect("small"), told.addends.amount.major);
        admin::figure_json(&told).expect("JSON");
        if let Some(line) = &told.line {
            leads_on(line, false);
        }
        let counted = match &figure {
            Figure::Rounding => 0,
            Figure::Tax(_) => told.addends.sums.subtotal.minor(),
            Figure::Line(number) => match &issued {
                Issued::Invoice(one) => one.invoice.line(*number).expect("a line").booked.minor(),
                Issued::Note(_) => told.addends.sums.total.minor(),
            },
            Figure::Total | Figure::Lot(_) | Figure::Section(_) => {
                told.addends.amount.to_money().expect("small").expect("cents").minor()
            }
        };
        for cent in cents(counted) {
            let one = explained(house, &asked(number, &figure, Some(cent))).await;
            leads_on(&one.line.unwrap_or_else(|| panic!("cent {cent} of {figure}")), true);
        }
    }
}

/// The columns of the CSV add up to the totals.
fn is_all_in_csv(invoice: &Invoice) {
    let sheet = documents::invoice_lines(invoice).expect("lines");
    let sum = |name: &str| {
        let place = sheet.columns.iter().position(|column| column.name == name).expect("a column");
        let cells = sheet.rows.iter().map(|row| row[place].as_deref().expect("a number"));
        let numbers = cells.map(|cell| Fixed18::parse(cell).expect("a number"));
        Fixed18::checked_sum(numbers).expect("small")
    };
    let totals = invoice.totals().expect("totals");
    for (name, total) in [
        ("booked", totals.charges),
        ("set_off", totals.set_off),
        ("credit", totals.credit),
        ("prepayment", totals.prepayment),
        ("left", totals.subtotal),
        ("tax", totals.tax),
        ("total", totals.total),
    ] {
        assert_eq!(sum(name), total.to_cost().expect("small").major, "{name}");
    }
}

async fn every_figure_adds_up_and_each_cent_leads_to_a_charge(books: Books) {
    let house = House::new(books).await;
    let sections = in_sections(&[("mill", "east"), ("forge", "west")]);
    in_process::declare(&house.reckoner, &(sections + CHARGED)).await;
    house
        .send(&[
            "1 acme mill hours 7.7 2026-05-01",
            "2 acme mill hours 9.1 2026-05-30",
            "3 acme forge hours 3.3 2026-05-03",
            "4 acme forge calls 211 2026-05-04",
            "5 acme mill calls 17 2026-05-05",
            "6 acme mill hours 4 2026-06-01",
        ])
        .await;
    house.close(may()).await;
    let sections = |document: &Document| document.invoice.sections().expect("sections").len();
    let first = house.invoices().await.into_iter().find(|one| sections(one) >= 2);
    let first = first.expect("an invoice with two sections");
    let dearest = first.invoice.lines.iter().max_by_key(|line| line.booked.minor());
    let note = CreditNoteAsked {
        id: "n1".to_owned(),
        number: first.number.clone(),
        lines: vec![CreditLine {
            line: dearest.expect("a line").number,
            amount: Fixed18::parse("0.5").expect("an amount"),
        }],
        reason: "slow".to_owned(),
    };
    house.reckoner.credit_note(&Caller::Machine, &note, "test").await.expect("a note");
    // Late usage is charged more, then cheaper hours are given back.
    house.send(&["7 acme forge hours 2 2026-05-06"]).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    house.close(month("2026-06", CloseMode::Final)).await;
    in_process::declare(&house.reckoner, &priced("0.3")).await;
    house.send(&["8 acme mill hours 40 2026-07-02"]).await;
    house.clock.set(moment("2026-08-05T12:00:00Z"));
    house.close(month("2026-07", CloseMode::Final)).await;
    // Of the rebilled one the lines are those of now.
    let asked = Withdrawal { number: first.number.clone(), reason: "price".to_owned() };
    house.reckoner.rebill(&Caller::Machine, &asked, "test").await.expect("rebilled");

    let invoices = house.invoices().await;
    let amends = |invoice: &Invoice| invoice.lines.iter().any(|line| line.key.amends.is_some());
    assert!(invoices.iter().any(|document| amends(&document.invoice)), "no correction");
    for document in &invoices {
        is_all_in_csv(&document.invoice);
        all_add_up(&house, &document.number).await;
        for note in &document.notes {
            all_add_up(&house, &note.number).await;
        }
    }
    assert_eq!(house.verified().await.0, Vec::<String>::new());
}

on_each_store!(every_figure_adds_up_and_each_cent_leads_to_a_charge);

async fn what_a_document_lacks_is_refused(books: Books) {
    let house = House::new(books).await;
    house.send(&["1 acme shop hours 3 2026-05-01"]).await;
    house.close(may()).await;
    let number = house.invoices().await.remove(0).number;
    let check = async |of: &str, cent: Option<u64>, expected: &str| {
        let figure = Figure::parse(of).expect("a figure");
        let asked = asked(&number, &figure, cent);
        let told = house.reckoner.explain_figure(&Caller::Machine, &asked).await;
        assert_eq!(told.expect_err(of).to_string(), expected);
    };
    check("tax=reduced", None, "figure `tax=reduced` does not exist").await;
    check("lot=none", None, "figure `lot=none` does not exist").await;
    check("section=east", None, "figure `section=east` does not exist").await;
    check("line=9", None, "figure `line=9` does not exist").await;
    check("total", Some(0), "cent: total has cents 1 to 119, not 0").await;
    check("total", Some(120), "cent: total has cents 1 to 119, not 120").await;
    check("rounding", Some(1), "cent: a rounding has none; ask for that of a line").await;
    for wrong in ["sum", "line=x", "tax"] {
        Figure::parse(wrong).expect_err(wrong);
    }
    let line = LineAsked { document: number.clone(), line: 1, cent: Some(1), rows_shown: 9 };
    house.reckoner.explain_line(&Caller::Machine, &line).await.expect("explained");
}

on_each_store!(what_a_document_lacks_is_refused);
