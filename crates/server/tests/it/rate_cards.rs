//! The rate card: which prices it shows.

use crate::books::{Books, on_each_store};
use crate::in_process;
use calendar::{Instant, SetClock};
use domain::access::Caller;
use domain::catalog::PricingModel;
use domain::ids::SubscriptionId;
use service::RateCardAsked;

/// Prices of one meter, and what the card shows of them: effective instant and rate.
const SHOWN: [(&str, &[&str]); 3] = [
    (
        r#"{ meter = "hours", model = { per_unit = "1" } },
           { meter = "hours", lineage = "de", conditions = { country = "DE" },
             model = { per_unit = "2" } },
           { meter = "hours", effective_from = 2026-02-01, model = { per_unit = "3" } },
           { meter = "hours", lineage = "a de", conditions = { country = "DE", network = "1" },
             model = { per_unit = "4" } }"#,
        &["always 1", "2026-02-01T00:00:00Z 3"],
    ),
    (
        r#"{ meter = "hours", lineage = "de", conditions = { country = "DE" },
             model = { per_unit = "2" } },
           { meter = "hours", lineage = "at", conditions = { country = "AT" },
             model = { per_unit = "5" } },
           { meter = "hours", lineage = "at", conditions = { country = "AT" },
             effective_from = 2026-03-01, model = { per_unit = "6" } }"#,
        &["always 5", "2026-03-01T00:00:00Z 6"],
    ),
    (r#"{ meter = "hours", model = { per_unit = "7" } }"#, &["always 7"]),
];

async fn a_meter_stands_on_the_card_once_for_each_moment(books: Books) {
    for (prices, expected) in SHOWN {
        let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
        let clock = SetClock::at(Instant::parse("2026-05-05").expect("a time"));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
        let flat = r#"{ meter = "hours", model = { per_unit = "0.000001" } }"#;
        let shop = in_process::SHOP.replace(flat, prices);
        assert_ne!(shop, in_process::SHOP);
        in_process::declare(&reckoner, &[in_process::ACCOUNT, &shop].concat()).await;
        let asked = RateCardAsked {
            offer: "MS-AZR-0003P".to_owned(),
            currency: "USD".to_owned(),
            locale: "en-US".to_owned(),
            region: "US".to_owned(),
        };
        let of = SubscriptionId::new("shop").expect("an id");
        let card = reckoner.rate_card(&Caller::Machine, &of, &asked).await.expect("a card");
        let shown = card.meters.iter().map(|(meter, price)| {
            assert_eq!(meter.id.as_str(), "hours");
            let PricingModel::PerUnit { price: rate } = &price.model else { panic!("{price:?}") };
            match price.effective_from {
                Instant::MIN => format!("always {rate}"),
                from => format!("{from} {rate}"),
            }
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{prices}");
        reckoner.close().await.expect("closed");
    }
}

on_each_store!(a_meter_stands_on_the_card_once_for_each_moment);

/// Two payers, and one's own sheets: with a meter that the card lacks and one that it has, and one
/// that has ended.
const SHEETS: &str = r#"
[[meter]]
id = "extra"
name = "Extra"
category = "Machines"
unit = "Hours"

[[price_list]]
id = "sheet"
billing_account = "acme"
from = "2026-05"
currency = "USD"
prices = [
    { meter = "extra", model = { per_unit = "9" } },
    { meter = "hours", model = { per_unit = "8" } },
]

[[meter]]
id = "bygone"
name = "Bygone"
category = "Machines"
unit = "Hours"

[[price_list]]
id = "ended"
billing_account = "acme"
from = "2026-01"
until = "2026-04"
currency = "USD"
prices = [{ meter = "bygone", model = { per_unit = "7" } }]

[[billing_account]]
id = "other"
name = "Other"
currency = "USD"
region = "US"

[[subscription]]
id = "theirs"
name = "Theirs"
placements = [{ billing_account = "other", offer = "MS-AZR-0003P" }]
"#;

async fn a_meter_of_the_payers_own_sheet_stands_on_its_card_only(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(Instant::parse("2026-05-05").expect("a time"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let declared = [in_process::ACCOUNT, in_process::SHOP, SHEETS].concat();
    in_process::declare(&reckoner, &declared).await;
    let asked = RateCardAsked {
        offer: "MS-AZR-0003P".to_owned(),
        currency: "USD".to_owned(),
        locale: "en-US".to_owned(),
        region: "US".to_owned(),
    };
    for (of, expected) in [("shop", "extra 9, hours 0.000001"), ("theirs", "hours 0.000001")] {
        let of = SubscriptionId::new(of).expect("an id");
        let card = reckoner.rate_card(&Caller::Machine, &of, &asked).await.expect("a card");
        let shown = card.meters.iter().map(|(meter, price)| {
            let PricingModel::PerUnit { price: rate } = &price.model else { panic!("{price:?}") };
            format!("{} {rate}", meter.id)
        });
        assert_eq!(shown.collect::<Vec<_>>().join(", "), expected, "{of}");
    }
    reckoner.close().await.expect("closed");
}

on_each_store!(a_meter_of_the_payers_own_sheet_stands_on_its_card_only);
