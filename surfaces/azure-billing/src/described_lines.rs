//! For the tests: lines of invoices, and transactions beside the published descriptions.

use crate::definitions::Definitions;
use crate::described::{during, usd};
use crate::same::transactions::transaction;
use domain::ids::{BillingAccountId, LegalEntityId};
use domain::numbering::DocumentNumber;
use domain::usage::ChargeCategory;
use money::{Cost, Fixed18, Money};
use serde_json::json;
use service::{InvoiceLineTold, MeterNamed, Named, Reserved};

fn named(id: &str) -> Option<Named> {
    Some(Named { id: id.to_owned(), name: id.to_uppercase() })
}

/// A line with everything that one can have.
fn line() -> InvoiceLineTold {
    let seller = LegalEntityId::new("RKC").unwrap();
    let money = |minor| Money::from_minor(minor, usd());
    InvoiceLineTold {
        name: "RKC-00000007-12".to_owned(),
        invoice: Some(DocumentNumber { seller, sequence: 7 }),
        day: during().start().day(),
        category: ChargeCategory::Usage,
        profile: named("ships"),
        section: named("freight"),
        customer: named("bakery"),
        subscription: named("s"),
        offer: named("PAYG"),
        meter: Some(MeterNamed {
            id: "vm".to_owned(),
            category: "Machines".to_owned(),
            subcategory: "Small".to_owned(),
            unit: "Hours".to_owned(),
        }),
        description: "Hours of a machine".to_owned(),
        reservation: Some(Reserved { id: "r".to_owned(), quantity: Some(Fixed18::ONE) }),
        service_period: during(),
        pricing: usd(),
        exchange: Some(Fixed18::parse("1.0842").unwrap()),
        exact: Cost { major: Fixed18::parse("12.345").unwrap(), currency: usd() },
        paid: money(235),
        left: money(1_000),
        tax: Some(money(89)),
    }
}

/// A line of a draft with as little as one can have.
fn draft() -> InvoiceLineTold {
    InvoiceLineTold {
        name: "draft-0".to_owned(),
        invoice: None,
        category: ChargeCategory::Fee,
        profile: None,
        section: None,
        customer: None,
        subscription: None,
        offer: None,
        meter: None,
        reservation: None,
        exchange: None,
        tax: None,
        ..line()
    }
}

/// Transactions of a version.
pub(crate) fn check_transactions(known: &mut Definitions, version: &str) {
    let account = BillingAccountId::new("north").unwrap();
    for line in [line(), draft()] {
        known.check("Transaction", transaction((&account, version), &line).unwrap());
    }
}

#[test]
fn a_transaction_tells_exactly_what_was_billed_and_left() {
    let account = BillingAccountId::new("north").unwrap();
    let told = |version: &str, line: &InvoiceLineTold| {
        serde_json::to_value(transaction((&account, version), line).unwrap()).unwrap()
    };
    let above = "/providers/Microsoft.Billing/billingAccounts/north";
    let first = told(crate::V2019, &line());
    let profile = format!("{above}/billingProfiles/ships");
    assert_eq!(first["id"], format!("{profile}/transactions/RKC-00000007-12"));
    assert_eq!(first["type"], "Microsoft.Billing/billingAccounts/billingProfiles/transactions");
    let properties = &first["properties"];
    let usd = |value: &str| {
        let value: serde_json::Number = value.parse().unwrap();
        json!({ "currency": "USD", "value": value })
    };
    assert_eq!(properties["transactionAmount"], usd("12.345"));
    assert_eq!(properties["azureCreditApplied"], usd("2.35"));
    assert_eq!(properties["subTotal"], usd("10"));
    assert_eq!(properties["tax"], usd("0.89"));
    assert_eq!(properties["invoiceSectionId"], format!("{profile}/invoiceSections/freight"));
    assert_eq!(properties["kind"], "reservation");
    let second = told(crate::V2020, &line());
    assert_eq!(second["id"], format!("{above}/transactions/RKC-00000007-12"));
    assert_eq!(second["properties"]["invoiceId"], format!("{above}/invoices/RKC-00000007"));
    let pending = told(crate::V2019, &draft());
    assert_eq!(pending["id"], format!("{above}/transactions/draft-0"));
    assert_eq!(pending["properties"]["invoice"], "pending");
    assert_eq!(pending["properties"]["transactionType"], "Purchase");
    assert_eq!(pending["properties"]["kind"], "all");
    assert!(pending["properties"].get("tax").is_none(), "{pending}");
}
