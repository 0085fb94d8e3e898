//! Names of the values of dimensions: all invented, but for the countries.

use crate::company::date;
use calendar::Instant;
use service::company::{NameOfValue, Thing};

/// Networks of a country: code and name.
type Networks = &'static [(&'static str, &'static str)];

/// Countries: code, name, networks.
pub(crate) const COUNTRIES: [(&str, &str, Networks); 5] = [
    ("DE", "Germany", &[("26291", "Rheinfunk"), ("26292", "Havelnetz")]),
    ("AT", "Austria", &[("23291", "Murtel")]),
    ("FR", "France", &[("20891", "Lumivox"), ("20892", "Armorcall")]),
    ("PL", "Poland", &[("26091", "Wartanet")]),
    ("US", "United States", &[("310990", "Prairiecell"), ("310991", "Cascade Wireless")]),
];

/// What is dialled for a country.
const PREFIXES: [(&str, &str); 5] =
    [("DE", "49"), ("AT", "43"), ("FR", "33"), ("PL", "48"), ("US", "1")];

/// Names of categories whose code is none. Source: `infobip.md` section 5.
const CATEGORIES: [(&str, &str); 11] = [
    ("SMS_OPERATOR_FEE", "SMS - Operator Fee (US carrier surcharge)"),
    ("MMS_OPERATOR_FEE", "MMS - Operator Fee"),
    ("EMAIL", "Email"),
    ("WHATSAPP", "WhatsApp"),
    ("VIBER", "Viber"),
    ("APPLE_MB", "Apple Messages for Business"),
    ("MOBILE_PUSH", "Mobile Push"),
    ("NUMBER_LOOKUP", "Number Lookup"),
    ("CARRIER_LOOKUP", "Carrier Lookup"),
    ("EMAIL_VALIDATION", "Email Validation"),
    ("AGENTOS", "AgentOS"),
];

/// Names of subcategories. Source: `infobip.md` section 5.
const SUBCATEGORIES: [(&str, &str); 2] = [("VIBER_BM", "Viber BM"), ("VIBER_BOTS", "Viber Bots")];

/// Campaigns in the order in which they run.
pub(crate) const CAMPAIGNS: [(&str, &str); 4] = [
    ("101", "Late summer"),
    ("102", "Back to work"),
    ("103", "Autumn points"),
    ("104", "November week"),
];

/// How the company calls its campaigns, in the same order.
pub(crate) const REFERENCES: [&str; 4] =
    ["late-summer", "back-to-work", "autumn-points", "november-week"];

/// Who sends: people, and programs that sign in.
pub(crate) const USERS: [(&str, &str); 4] = [
    ("m.vogel", "Marta Vogel"),
    ("shop-backend", "Shop backend"),
    ("login-backend", "Sign-in backend"),
    ("t.okafor", "Tunde Okafor"),
];

/// Templates; the last has no name and shows its id.
pub(crate) const TEMPLATES: [(&str, &str); 4] =
    [("t-1", "Points balance"), ("t-2", "Voucher"), ("t-3", "Shop opening"), ("t-4", "")];

/// Applications.
pub(crate) const APPLICATIONS: [(&str, &str); 3] =
    [("a-loyalty", "Loyalty app"), ("a-shop", "Shop counter"), ("a-login", "Sign-in codes")];

/// Entities.
pub(crate) const ENTITIES: [(&str, &str); 2] =
    [("e-north", "Brightwire North"), ("e-south", "Brightwire South")];

/// All names.
pub(crate) fn things() -> Vec<Thing> {
    let mut things = Vec::new();
    let mut name = |dimension: &str, value: &str, from: Instant, name: &str| {
        if !name.is_empty() {
            let (dimension, value) = (dimension.to_owned(), value.to_owned());
            things.push(Thing::Name(NameOfValue { dimension, value, from, name: name.to_owned() }));
        }
    };
    let always = Instant::MIN;
    for (code, country, networks) in COUNTRIES {
        name("country", code, always, country);
        for (code, network) in networks {
            name("network", code, always, network);
        }
    }
    for (country, prefix) in PREFIXES {
        name("country_prefix", country, always, prefix);
    }
    for (dimension, values) in [
        ("meter_category", &CATEGORIES[..]),
        ("meter_subcategory", &SUBCATEGORIES[..]),
        ("user", &USERS[..]),
        ("campaign", &CAMPAIGNS[..]),
        ("template", &TEMPLATES[..]),
        ("application", &APPLICATIONS[..]),
        ("entity", &ENTITIES[..]),
    ] {
        for (value, text) in values {
            name(dimension, value, always, text);
        }
    }
    // Two networks merged their brands; campaigns and a template were renamed while they ran.
    name("network", "26292", date("2026-10-01"), "Rheinfunk Havel");
    name("campaign", "103", date("2026-10-10"), "Golden autumn");
    name("campaign", "101", date("2026-08-20"), "Last days of summer");
    name("template", "t-2", date("2026-09-15"), "Gift voucher");
    things
}
