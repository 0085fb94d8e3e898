use super::{fixed, read_all, real_file};
use crate::{
    CardPlace, ImportedPrices, PriceFormat, Tax, UsageFormat, read_price_list_oci,
    read_price_sheet_azure_json, read_rate_card_azure,
};
use calendar::Instant;
use domain::catalog::{OfferTerm, Price, PricingModel};
use domain::ids::{MeterId, OfferId};
use money::Currency;
use std::collections::BTreeSet;

fn place() -> CardPlace {
    let offer = OfferId::new("MS-AZR-0062P").unwrap();
    CardPlace { offer, region: "US".to_owned(), currency: None, locale: None }
}

fn card() -> Option<ImportedPrices> {
    let bytes = real_file("azure-commerce/ratecard-MS-AZR-0062P-USD-en-US.json")?;
    assert_eq!(PriceFormat::detect(&bytes[..8_192]), Some(PriceFormat::AzureRateCard));
    Some(read_rate_card_azure(bytes.as_slice(), place()).unwrap())
}

fn is_tiered(price: &&Price) -> bool {
    matches!(price.model, PricingModel::Graduated { .. })
}

fn tiers(list: &ImportedPrices, meter: &str) -> String {
    let meter = MeterId::new(meter).unwrap();
    let price = list.prices.iter().find(|price| price.meter == meter).unwrap();
    match &price.model {
        PricingModel::PerUnit { price } => format!("0:{price}"),
        PricingModel::Graduated { tiers } => {
            let tiers = tiers.iter().map(|tier| {
                let plain = tier.from.to_string();
                format!("{}:{}", tier.spelled.as_ref().unwrap_or(&plain), tier.price)
            });
            tiers.collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rate_card_keeps_meters_tiers_terms_and_spellings() {
    let Some(card) = card() else { return };
    assert_eq!((card.meters.len(), card.prices.len()), (3_817, 3_817));
    assert_eq!(card.prices.iter().filter(is_tiered).count(), 203);
    assert_eq!(card.currency, Currency::parse("USD").unwrap());
    assert_eq!(card.locale.as_deref(), Some("en-US"));
    assert_eq!(card.tax, Tax::Excluded);
    assert_eq!(
        tiers(&card, "82b96a53-df81-46cd-be8d-df9969e89cbe"),
        "0:0.0963 1024.0:0.0894 51200.0:0.0825 512000.0:0.0756 1024000.0:0.0619 5120000.0:0.0509"
    );
    let always = card.prices.iter().filter(|price| price.effective_from == Instant::MIN).count();
    assert_eq!(always, 31);
    let third_party = card.meters.iter().filter(|meter| meter.tags == ["Third Party"]).count();
    assert_eq!(third_party, 126);
    let [OfferTerm::MonetaryCredit { credit, excluded, .. }] = card.terms.as_slice() else {
        panic!("{:?}", card.terms);
    };
    assert_eq!((*credit, excluded.len()), (fixed("100"), 139));
}

#[test]
fn no_rate_is_rounded_in_silence() {
    let Some(card) = card() else { return };
    assert_eq!(card.rounded.len(), 19);
    let meter = MeterId::new("9299653b-80de-40cd-9af6-c4eb043e4275").unwrap();
    let rounded = card.rounded.iter().find(|rounded| rounded.meter == meter).unwrap();
    assert_eq!(rounded.given, "1.9700000000000000000000000001");
    assert_eq!(rounded.kept, fixed("1.97"));
}

#[test]
fn every_meter_of_the_usage_stands_on_the_card() {
    let name = "azure-commerce/usage-aggregates-201504-201505.json";
    let (Some(card), Some(bytes)) = (card(), real_file(name)) else { return };
    let known: BTreeSet<&MeterId> = card.meters.iter().map(|meter| &meter.id).collect();
    let rows = read_all(UsageFormat::AzureUsageAggregates, &bytes);
    let used: BTreeSet<&MeterId> = rows.iter().map(|row| &row.meter.id).collect();
    assert_eq!(used.len(), 11);
    assert!(used.is_subset(&known));
}

#[test]
fn a_price_sheet_is_keyed_by_meter_and_part_number() {
    let name = "azure-consumption/price-sheet-201710-zero-priced.json";
    let Some(bytes) = real_file(name) else { return };
    assert_eq!(PriceFormat::detect(&bytes[..8_192]), Some(PriceFormat::AzurePriceSheetJson));
    let sheet = read_price_sheet_azure_json(bytes.as_slice()).unwrap();
    assert_eq!((sheet.meters.len(), sheet.prices.len()), (981, 1_000));
    assert!(sheet.next_link.as_deref().is_some_and(|link| link.contains("skiptoken")));
    let included = sheet.prices.iter().filter(|price| !price.included.is_zero()).count();
    assert!(included > 0);
    let start = Instant::parse("2017-10-01").unwrap();
    assert!(sheet.prices.iter().all(|price| price.effective_from == start));
}

#[test]
fn tiers_of_a_price_list_are_brought_into_order() {
    let Some(bytes) = real_file("oci/price-list-usd.json") else { return };
    assert_eq!(PriceFormat::detect(&bytes[..8_192]), Some(PriceFormat::OciPriceList));
    let list = read_price_list_oci(bytes.as_slice(), Currency::parse("USD").unwrap()).unwrap();
    assert_eq!((list.meters.len(), list.prices.len()), (450, 450));
    assert_eq!(list.prices.iter().filter(is_tiered).count(), 59);
    assert_eq!(tiers(&list, "B91210"), "0:640 1:640 3:172 100:32");
    assert_eq!(tiers(&list, "B88327"), "0:0 10240:0.0085");
    let name = "oci/oci-cost-report-202311.dev.csv";
    let rows = read_all(UsageFormat::OciCostReport, &real_file(name).unwrap());
    let known: BTreeSet<&MeterId> = list.meters.iter().map(|meter| &meter.id).collect();
    assert!(rows.iter().all(|row| known.contains(&row.meter.id)));
}

#[test]
fn a_currency_that_a_list_lacks_is_refused() {
    let Some(bytes) = real_file("oci/price-list-usd.json") else { return };
    let error = read_price_list_oci(bytes.as_slice(), Currency::parse("EUR").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "file: has no pay-as-you-go price in EUR");
    let Some(bytes) = real_file("azure-commerce/ratecard-MS-AZR-0062P-USD-en-US.json") else {
        return;
    };
    let wrong = CardPlace { locale: Some("de-DE".to_owned()), ..place() };
    let error = read_rate_card_azure(bytes.as_slice(), wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "file: locale is \"en-US\" by the card and \"de-DE\" by the command"
    );
}
