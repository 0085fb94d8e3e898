//! The made-up company as files for `reckoner apply`.

use crate::usage::{
    ACCOUNTS, CAMPAIGNS, COMPANY, COUNTRIES, METERS, Payer, Usage, account_id, campaign_id,
    country_id, price_e4, subscription_id,
};

/// The tenant that tokens are asked of.
pub(crate) const TENANT: &str = "6f0c2a4e-0000-4000-8000-000000000001";
/// The client that may do everything.
pub(crate) const OPERATOR: &str = "9d1f0a00-0000-4000-8000-000000000001";

/// The files: name and text. `hash` is of the operator's secret.
pub(crate) fn files(usage: &Usage, hash: &str) -> Vec<(&'static str, String)> {
    let parties = match usage.payer {
        Payer::Each => (0..usage.accounts).map(account).collect(),
        Payer::Company => {
            agreed() + &(0..usage.accounts).map(messaging_account).collect::<String>()
        }
    };
    let company = base(hash, &usage.billing_accounts()) + &catalog(usage);
    vec![("company.toml", company), ("parties.toml", parties), names()]
}

/// Since when the company's agreement and its accounts hold.
const AGREED: &str = "2024-01-01T00:00:00Z";

/// Who sells, and how it is taxed: what closing needs besides.
pub(crate) const SELLER: &str = r#"
[[legal_entity]]
id = "seller"
name = "Seller"
trade = "sells"
country = "US"

[[tax_rate]]
seller = "seller"
category = "standard"
rate = "0.19"
"#;

fn base(hash: &str, accounts: &[String]) -> String {
    let accounts: Vec<String> = accounts.iter().map(|id| format!("\"{id}\"")).collect();
    let accounts = accounts.join(", ");
    format!(
        r#"
[[tenant]]
id = "{TENANT}"

[[client]]
id = "{OPERATOR}"
name = "operator"
secret_hashes = ["{hash}"]

[[role_assignment]]
principal = "{OPERATOR}"
role = "Administrator"
scope = "installation"

[[offer]]
id = "messages"
name = "Messages"
has_rate_card = true

[[source]]
name = "gate"
billing_accounts = [{accounts}]
"#
    )
}

fn catalog(usage: &Usage) -> String {
    let mut text = String::new();
    let mut prices = Vec::new();
    for meter in 0..METERS {
        text += &format!(
            "\n[[meter]]\nid = \"meter-{meter}\"\nname = \"Meter {meter}\"\n\
             category = \"category-{meter}\"\nunit = \"Messages\"\n"
        );
        let tiers = usage.tiers();
        let tiers = tiers.iter().enumerate().map(|(tier, from)| {
            format!("{{ from = \"{from}\", price = \"0.{:04}\" }}", price_e4(meter, tier))
        });
        let tiers = tiers.collect::<Vec<_>>().join(", ");
        prices.push(format!(
            "    {{ meter = \"meter-{meter}\", model = {{ graduated = [{tiers}] }} }},\n"
        ));
    }
    text += &format!(
        "\n[[price_list]]\nid = \"card\"\noffer = \"messages\"\nregion = \"US\"\n\
         locales = [\"en-US\"]\ncurrency = \"USD\"\nprices = [\n{}]\n",
        prices.concat()
    );
    text
}

fn account(account: u64) -> String {
    let (id, subscription) = (account_id(account), subscription_id(account));
    format!(
        "\n[[billing_account]]\nid = \"{id}\"\nname = \"Account {account}\"\n\
         currency = \"USD\"\nregion = \"US\"\n\
         \n[[subscription]]\nid = \"{subscription}\"\nname = \"Subscription {account}\"\n\
         placements = [{{ billing_account = \"{id}\", offer = \"messages\" }}]\n"
    )
}

/// The company that pays for all, by a messaging agreement.
fn agreed() -> String {
    format!(
        "\n[[billing_account]]\nid = \"{COMPANY}\"\nname = \"Company\"\n\
         currency = \"USD\"\nregion = \"US\"\n\
         \n[[agreement]]\nbilling_account = \"{COMPANY}\"\nfrom = {AGREED}\n\
         type = \"messaging agreement\"\n"
    )
}

/// An account within it, with what its usage is recorded against.
fn messaging_account(account: u64) -> String {
    let (id, subscription) = (account_id(account), subscription_id(account));
    format!(
        "\n[[messaging_account]]\nbilling_account = \"{COMPANY}\"\nid = \"{id}\"\n\
         from = {AGREED}\nname = \"Account {account}\"\n\
         \n[[subscription]]\nid = \"{subscription}\"\nname = \"Subscription {account}\"\n\
         placements = [{{ billing_account = \"{COMPANY}\", offer = \"messages\" }}]\n\
         standings = [{{ from = {AGREED}, place = {{ billing_account = \"{COMPANY}\", \
         level = \"messaging account\", id = \"{id}\" }} }}]\n"
    )
}

fn names() -> (&'static str, String) {
    let name = |dimension: &str, value: String, name: String| {
        format!("\n[[name]]\ndimension = \"{dimension}\"\nvalue = \"{value}\"\nname = \"{name}\"\n")
    };
    let countries = (0..COUNTRIES).map(|n| name("country", country_id(n), format!("Country {n}")));
    let campaigns = (0..ACCOUNTS * CAMPAIGNS)
        .map(|n| name("campaign", campaign_id(n), format!("Campaign {n}")));
    let categories = (0..METERS)
        .map(|n| name("meter_category", format!("category-{n}"), format!("Category {n}")));
    ("names.toml", countries.chain(campaigns).chain(categories).collect())
}
