//! Address: whether an address can be right, checked without asking anybody.

use crate::given::Body;
use crate::{Billing, PROVIDER};
use axum::Json;
use domain::Error;
use domain::addresses::{Address, Draft, check_address};
use httpkit::{Asking, Group};
use serde::{Deserialize, Serialize};

pub(crate) fn group_2019() -> Group<Billing> {
    Group::new().post("Address_Validate", PROVIDER, "/validateAddress", validate_2019)
}

pub(crate) fn group_2020() -> Group<Billing> {
    Group::new().post("Address_Validate", PROVIDER, "/validateAddress", validate_2020)
}

/// Checks an address; 200 also for one that is wrong.
async fn validate_2019(
    Asking(_): Asking,
    Body(given): Body<Address2019>,
) -> Json<Checked<Address2019>> {
    checked(&given.draft(), Address2019::of)
}

/// As [`validate_2019`]; what our rules do not know comes back as it was.
async fn validate_2020(
    Asking(_): Asking,
    Body(given): Body<Address2020>,
) -> Json<Checked<Address2020>> {
    checked(&given.draft(), |address| given.corrected(address))
}

/// What came out, as the contract spells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked<T> {
    status: &'static str,
    suggested_addresses: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_message: Option<String>,
}

/// A right address is suggested in its country's form; a wrong one has no better known.
fn checked<T>(draft: &Draft, told: impl FnOnce(Address) -> T) -> Json<Checked<T>> {
    Json(match check_address(draft) {
        Ok(address) => Checked {
            status: "Valid",
            suggested_addresses: vec![told(address)],
            validation_message: None,
        },
        Err(wrong) => {
            let told: Vec<String> = wrong.into_iter().map(problem).collect();
            Checked {
                status: "Invalid",
                suggested_addresses: Vec::new(),
                validation_message: Some(told.join("; ")),
            }
        }
    })
}

/// What is wrong, with the member's name in the contract.
pub(crate) fn problem(error: Error) -> String {
    let Error::Invalid { field, problem } = error else { return error.to_string() };
    let member = match field.as_str() {
        "first_name" => "firstName",
        "last_name" => "lastName",
        "company_name" => "companyName",
        "lines[0]" => "addressLine1",
        "lines[1]" => "addressLine2",
        "lines[2]" => "addressLine3",
        "postal_code" => "postalCode",
        same => same,
    };
    format!("{member}: {problem}")
}

/// An address, as `2019-10-01-preview` spells it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Address2019 {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
}

impl Address2019 {
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            first_name: text(&self.first_name),
            last_name: text(&self.last_name),
            company_name: text(&self.company_name),
            lines: [
                text(&self.address_line1),
                text(&self.address_line2),
                text(&self.address_line3),
            ],
            city: text(&self.city),
            region: text(&self.region),
            country: text(&self.country),
            postal_code: text(&self.postal_code),
        }
    }

    fn of(address: Address) -> Address2019 {
        let [one, two, three] = address.lines;
        Address2019 {
            first_name: filled(address.first_name),
            last_name: filled(address.last_name),
            company_name: filled(address.company_name),
            address_line1: filled(one),
            address_line2: filled(two),
            address_line3: filled(three),
            city: filled(address.city),
            region: filled(address.region),
            country: Some(address.country.to_string()),
            postal_code: filled(address.postal_code),
        }
    }
}

/// An address, as `2020-05-01` spells it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Address2020 {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    middle_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    address_line1: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    district: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
}

impl Address2020 {
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            first_name: text(&self.first_name),
            last_name: text(&self.last_name),
            company_name: text(&self.company_name),
            lines: [
                self.address_line1.clone(),
                text(&self.address_line2),
                text(&self.address_line3),
            ],
            city: text(&self.city),
            region: text(&self.region),
            country: self.country.clone(),
            postal_code: text(&self.postal_code),
        }
    }

    /// The same in its country's form.
    fn corrected(&self, address: Address) -> Address2020 {
        let [one, two, three] = address.lines;
        Address2020 {
            first_name: filled(address.first_name),
            middle_name: self.middle_name.clone(),
            last_name: filled(address.last_name),
            company_name: filled(address.company_name),
            address_line1: one,
            address_line2: filled(two),
            address_line3: filled(three),
            city: filled(address.city),
            district: self.district.clone(),
            region: filled(address.region),
            country: address.country.to_string(),
            postal_code: filled(address.postal_code),
            email: self.email.clone(),
            phone_number: self.phone_number.clone(),
        }
    }
}

fn text(given: &Option<String>) -> String {
    given.clone().unwrap_or_default()
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_address_is_valid_in_its_countrys_form_or_says_what_is_wrong() {
        let first = |given: Value| {
            let given: Address2019 = serde_json::from_value(given).unwrap();
            let Json(checked) = checked(&given.draft(), Address2019::of);
            serde_json::to_value(&checked).unwrap()
        };
        let second = |given: Value| {
            let given: Address2020 = serde_json::from_value(given).unwrap();
            let Json(checked) = checked(&given.draft(), |address| given.corrected(address));
            serde_json::to_value(&checked).unwrap()
        };
        let given = json!({"addressLine1": "1 Test Address", "city": "bellevue", "region": "wa",
            "postalCode": "98052", "country": "us"});
        let suggested = json!({"addressLine1": "1 Test Address", "city": "bellevue",
            "region": "WA", "postalCode": "98052", "country": "US"});
        let valid = json!({"status": "Valid", "suggestedAddresses": [suggested]});
        assert_eq!(first(given.clone()), valid);
        assert_eq!(second(given), valid);
        let wrong = json!({"addressLine1": "", "city": "b", "country": "xx"});
        let answer = second(wrong);
        assert_eq!(answer["status"], "Invalid");
        assert_eq!(answer["suggestedAddresses"], json!([]));
        let message = answer["validationMessage"].as_str().unwrap();
        assert!(message.starts_with("addressLine1: must not be empty; country: "), "{message}");
        let kept = second(json!({"addressLine1": "1", "city": "b", "country": "aq",
            "email": "a@b", "district": "d"}));
        assert_eq!(kept["suggestedAddresses"][0]["email"], "a@b");
        assert_eq!(kept["suggestedAddresses"][0]["district"], "d");
    }

    #[test]
    fn what_no_address_has_is_refused() {
        let read = |given: Value| serde_json::from_value::<Address2020>(given).is_ok();
        assert!(read(json!({"addressLine1": "1", "country": "us"})));
        assert!(!read(json!({"country": "us"})));
        assert!(!read(json!({"addressLine1": "1", "country": "us", "zip": "1"})));
        assert!(!read(json!({"addressLine1": 1, "country": "us"})));
    }
}
