//! For the tests: the published descriptions, and things to be shown by them.

use crate::reading::{Asked, Spot};
use crate::{at, same};
use calendar::{Instant, Interval};
use domain::accepted_agreements::{
    AcceptanceMode, AcceptedAgreement, AgreementCategory, Answer, Participant,
};
use domain::access::{Role, Scope};
use domain::addresses::{Address, Country};
use domain::agreements::{Agreement, AgreementType, Enrollment, EnrollmentPolicies, Permission};
use domain::ids::{
    AcceptedAgreementId, BillingAccountId, InstructionId, OfferId, PlaceId, PrincipalId,
    ResellerId, SubscriptionId, TenantId,
};
use domain::instructions::Instruction;
use domain::places::{
    BillingProfile, Customer, Detail, Level, MarketplacePurchases, Place, PlaceFacts, PlaceKey,
    PlaceState, Reseller,
};
use money::{Currency, Money};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use service::{
    AccountSeen, AccountTold, BilledTo, CustomerTold, OfferTold, Owner, PlaceSeen, PlaceTold,
    RoleTold,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

/// A published file of this contract: of `RECKONER_SPECS`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
pub(crate) fn published(file: &str) -> Option<Value> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let folder = std::env::var_os("RECKONER_SPECS").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        writeln!(std::io::stderr(), "LEFT OUT: {file}: no folder {}", folder.display()).unwrap();
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no descriptions under CI");
        return None;
    }
    let text = std::fs::read_to_string(folder.join("microsoft-billing").join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// Words of an answer, as our types hold them: for ever.
pub(crate) fn words<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<&'static [&'static str], D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    let all: Vec<&'static str> = all.into_iter().map(|word| &*word.leak()).collect();
    let kept: &'static [&'static str] = all.leak();
    Ok(kept)
}

/// The definitions of a published description, and which of their members were seen.
pub(crate) struct Definitions {
    version: &'static str,
    all: Map<String, Value>,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Definitions {
    /// Those of a version.
    pub(crate) fn of(version: &'static str) -> Option<Definitions> {
        let whole = published(&format!("{version}/billing.json"))?;
        let all = whole["definitions"].as_object().unwrap().clone();
        Some(Definitions { version, all, seen: BTreeMap::new() })
    }

    /// Holds an answer against a definition: members, types, enums, what is required.
    pub(crate) fn check(&mut self, name: &str, answer: impl Serialize) {
        let answer = serde_json::to_value(answer).unwrap();
        let wrong = self.problems(name, &answer);
        assert_eq!(wrong, Vec::<String>::new(), "{name} of {}", self.version);
    }

    /// Where an answer is not as a definition says.
    pub(crate) fn problems(&mut self, name: &str, answer: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.definition(name, answer, name, &mut wrong);
        wrong
    }

    /// Holds what no answer filled against the table of members that the books do not know.
    pub(crate) fn check_left_out(&self) {
        let mut found = BTreeSet::new();
        for (name, seen) in &self.seen {
            let members = self.members(name);
            let left = members.keys().filter(|one| *one != "nextLink" && !seen.contains(*one));
            found.extend(left.map(|member| format!("{name}.{member}")));
        }
        assert_eq!(found, self.left_out(), "members of {} that no answer has", self.version);
    }

    /// The members that no answer has, as the table lists them: `Enrollment.channel`.
    fn left_out(&self) -> BTreeSet<String> {
        let file = "../../docs/deviations/azure-billing-members.md";
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let mut listed = BTreeSet::new();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            if cells[2] == "both" || cells[2].contains(self.version) {
                let members = cells[3].split(',').map(|member| member.trim().replace('`', ""));
                listed.extend(
                    members.map(|member| format!("{}.{member}", cells[1].replace('`', ""))),
                );
            }
        }
        listed
    }

    /// Of what a list consists, by the name of its definition; none for what is no list.
    pub(crate) fn items(&self, name: &str) -> Option<&str> {
        referred(&self.all[name]["properties"]["value"]["items"])
    }

    /// The members of a body that are read whatever they hold, by their paths, without those that
    /// are read only: `body` is one that is read, `is_read` tells of another.
    pub(crate) fn unread(
        &self,
        schema: &Value,
        body: &Value,
        is_read: &dyn Fn(Value) -> bool,
    ) -> BTreeSet<String> {
        let members = referred(schema).map_or_else(Map::new, |name| self.members(name));
        let mut unread = BTreeSet::new();
        for (member, schema) in members.iter().filter(|(_, schema)| schema["readOnly"] != true) {
            let is_read_with = |value: Value| {
                let mut body = body.clone();
                body[member.as_str()] = value;
                is_read(body)
            };
            let anything = [json!(true), json!(0), json!("x"), json!([]), json!({})];
            let own = &body[member.as_str()];
            if anything.into_iter().all(&is_read_with) {
                unread.insert(member.clone());
            } else if own.is_object() {
                let below = self.unread(schema, own, &is_read_with);
                unread.extend(below.iter().map(|below| format!("{member}.{below}")));
            }
        }
        unread
    }

    /// The members of one value that another of the same schema lacks, and what changed on the way.
    pub(crate) fn lost(&self, schema: &Value, before: &Value, after: &Value) -> BTreeSet<String> {
        let named = referred(schema);
        let schema = named.map_or(schema, |name| &self.all[name]);
        let mut lost = BTreeSet::new();
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                let members = named.map_or_else(Map::new, |name| self.members(name));
                for (member, value) in before {
                    let below = members.get(member).unwrap_or(&schema["additionalProperties"]);
                    match after.get(member) {
                        Some(after) => lost.extend(self.lost(below, value, after)),
                        None => {
                            lost.insert(format!("{}.{member}", named.unwrap_or("-")));
                        }
                    }
                }
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                for (before, after) in before.iter().zip(after) {
                    lost.extend(self.lost(&schema["items"], before, after));
                }
            }
            _ if spelled(before) == spelled(after) => {}
            _ => {
                lost.insert(format!("{before} became {after}"));
            }
        }
        lost
    }

    /// The members of a definition, with those of what it is made of.
    fn members(&self, name: &str) -> Map<String, Value> {
        let definition = &self.all[name];
        let mut members = definition["properties"].as_object().cloned().unwrap_or_default();
        for part in definition["allOf"].as_array().into_iter().flatten() {
            members.extend(self.members(referred(part).unwrap()));
        }
        members
    }

    fn definition(&mut self, name: &str, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let definition = self.all[name].clone();
        let members = self.members(name);
        if members.is_empty() {
            return self.typed(&definition, value, at, wrong);
        }
        let Some(object) = value.as_object() else {
            return wrong.push(format!("{at}: no object"));
        };
        let required = definition["required"].as_array().into_iter().flatten();
        for member in required.filter_map(Value::as_str).filter(|one| !object.contains_key(*one)) {
            wrong.push(format!("{at}.{member}: is required"));
        }
        for (member, value) in object {
            let at = format!("{at}.{member}");
            self.seen.entry(name.to_owned()).or_default().insert(member.clone());
            match members.get(member) {
                Some(schema) => self.schema(schema, value, &at, wrong),
                None => wrong.push(format!("{at}: is not declared")),
            }
        }
    }

    fn schema(&mut self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        match referred(schema) {
            Some(name) => self.definition(name, value, at, wrong),
            None => self.typed(schema, value, at, wrong),
        }
    }

    fn typed(&mut self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        if let Some(items) = value.as_array() {
            for (number, item) in items.iter().enumerate() {
                self.schema(&schema["items"], item, &format!("{at}[{number}]"), wrong);
            }
        }
        if let Some(object) = value.as_object() {
            for (name, value) in object {
                let schema = &schema["additionalProperties"];
                self.schema(schema, value, &format!("{at}.{name}"), wrong);
            }
        }
        let is_right = match schema["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64() || value.is_i64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            // Some enums have no type.
            _ => schema.get("enum").is_some(),
        };
        let is_known = schema["enum"].as_array().is_none_or(|known| known.contains(value));
        let is_time = schema["format"] != "date-time"
            || value.as_str().is_some_and(|text| Instant::parse(text).is_ok());
        if !is_right || !is_known || !is_time {
            wrong.push(format!("{at}: {value} is not as {schema}"));
        }
    }
}

fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/definitions/")
}

/// A number without the zeros at its end: `5000.0` is `5000`.
fn spelled(value: &Value) -> String {
    let text = value.to_string();
    match value {
        Value::Number(_) if text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text,
    }
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

pub(crate) fn during() -> Interval {
    Interval::new(at("2026-01-01"), at("2029-01-01")).unwrap()
}

pub(crate) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn address() -> Address {
    Address {
        first_name: "Ada".to_owned(),
        last_name: "North".to_owned(),
        company_name: "North Lines".to_owned(),
        lines: ["1 Pier".to_owned(), "Hall 2".to_owned(), "Desk 3".to_owned()],
        city: "Seattle".to_owned(),
        region: "WA".to_owned(),
        country: Country::parse("US").unwrap(),
        postal_code: "98101".to_owned(),
    }
}

/// A billing account that its reader sees in full.
pub(crate) fn account(kind: AgreementType) -> AccountTold {
    let agreement = match kind {
        AgreementType::Customer => Agreement::Customer { profile_creation: Permission::Allowed },
        AgreementType::Partner => Agreement::Partner,
        AgreementType::OnlineServices => Agreement::OnlineServices,
        AgreementType::Messaging => Agreement::Messaging,
        AgreementType::Enterprise => Agreement::Enterprise(Enrollment {
            term: during(),
            currency: usd(),
            country: Country::parse("US").unwrap(),
            prepayment: Money::zero(usd()),
            policies: EnrollmentPolicies {
                department_administrators_view_charges: Permission::Allowed,
                account_owners_view_charges: Permission::NotAllowed,
                marketplace_purchases: Permission::Allowed,
                reservation_purchases: Permission::Allowed,
            },
        }),
    };
    let (at, address) = (at("2026-06-01"), Some(address()));
    AccountTold {
        id: BillingAccountId::new("north").unwrap(),
        name: "North".to_owned(),
        currency: usd(),
        kind: Some(kind),
        seen: Some(Box::new(AccountSeen { agreement: Some(agreement), address, at })),
    }
}

/// A key: `ships` of a level.
pub(crate) fn key(level: Level, id: &str) -> PlaceKey {
    PlaceKey { level, id: PlaceId::new(id).unwrap() }
}

/// A place of `north` that its reader sees in full.
pub(crate) fn place(level: Level, id: &str, parent: Option<PlaceKey>) -> PlaceTold {
    let detail = match level {
        Level::BillingProfile => Detail::BillingProfile(Box::new(BillingProfile {
            currency: usd(),
            address: Some(address()),
            order_number: "4711".to_owned(),
            marketplace_purchases: MarketplacePurchases::OnlyFree,
            reservation_purchases: Permission::Allowed,
            view_charges: Permission::NotAllowed,
        })),
        Level::InvoiceSection => Detail::InvoiceSection,
        Level::Customer => Detail::Customer(Customer {
            plans: Vec::new(),
            resellers: Vec::new(),
            view_charges: Permission::Allowed,
        }),
        Level::Department => Detail::Department { quota: None },
        Level::EnrollmentAccount | Level::MessagingAccount => Detail::EnrollmentAccount,
    };
    let (name, state) = (id.to_owned(), PlaceState::PastDue);
    let cost_center = "42".to_owned();
    let facts = PlaceFacts { name, parent: parent.clone(), state, cost_center, detail };
    let owner = Owner { name: "Ada".to_owned(), email: Some("ada@north.example".to_owned()) };
    let seen = PlaceSeen {
        facts,
        since: at("2026-01-01"),
        until: Some(at("2029-01-01")),
        tags: BTreeMap::from([("fleet".to_owned(), "baltic".to_owned())]),
        owner: Some(owner),
    };
    let place = Place { billing_account: account(AgreementType::Customer).id, key: key(level, id) };
    PlaceTold { place, name: id.to_owned(), parent, state, seen: Some(Box::new(seen)) }
}

/// The same as somebody sees it who only holds a role below.
pub(crate) fn shell(told: PlaceTold) -> PlaceTold {
    PlaceTold { seen: None, ..told }
}

/// A profile with a section, a department with an enrollment account.
pub(crate) fn places() -> Vec<PlaceTold> {
    let (profile, department) = (Level::BillingProfile, Level::Department);
    vec![
        place(profile, "ships", None),
        place(Level::InvoiceSection, "freight", Some(key(profile, "ships"))),
        place(department, "research", None),
        place(Level::EnrollmentAccount, "lab", Some(key(department, "research"))),
    ]
}

pub(crate) fn offer() -> OfferTold {
    OfferTold { id: OfferId::new("PAYG").unwrap(), name: Some("Pay as you go".to_owned()) }
}

pub(crate) fn reseller() -> Reseller {
    Reseller { id: ResellerId::new("corner").unwrap(), name: "Corner Shop".to_owned() }
}

pub(crate) fn customer() -> CustomerTold {
    CustomerTold {
        place: place(Level::Customer, "bakery", None),
        profile: Some(place(Level::BillingProfile, "ships", None)),
        plans: vec![offer()],
        resellers: vec![reseller()],
    }
}

pub(crate) fn billed_to() -> BilledTo {
    let ships = key(Level::BillingProfile, "ships");
    BilledTo {
        subscription: SubscriptionId::new("s").unwrap(),
        tenant: Some(domain::ids::TenantId::new("t").unwrap()),
        account: account(AgreementType::Customer),
        profile: Some(place(Level::BillingProfile, "ships", None)),
        section: Some(place(Level::InvoiceSection, "freight", Some(ships))),
        offer: offer(),
        cost_center: "42".to_owned(),
        is_owner: true,
        administrator: Some(Owner {
            name: "Ada".to_owned(),
            email: Some("ada@north.example".to_owned()),
        }),
    }
}

pub(crate) fn all() -> Asked {
    Asked {
        address: true,
        profiles: true,
        sections: true,
        enrollment: true,
        departments: true,
        enrollment_accounts: true,
    }
}

pub(crate) fn spot(level: Option<Level>) -> Spot {
    let account = account(AgreementType::Customer).id;
    let id = at::account_id(&account);
    Spot { id, level, scope: Scope::Account(account) }
}

pub(crate) fn given(role: Role) -> RoleTold {
    let email = Some("ada@north.example".to_owned());
    let (holder, tenant) = (Owner { name: "Ada".to_owned(), email }, TenantId::new("t").unwrap());
    RoleTold {
        role,
        principal: PrincipalId::new("ada").unwrap(),
        holder: Some(holder.clone()),
        tenant: Some(tenant.clone()),
        given_at: Some(at("2026-06-01")),
        given_by: Some(PrincipalId::new("ada").unwrap()),
        giver: Some(holder),
        giver_tenant: Some(tenant),
    }
}

pub(crate) fn accepted() -> AcceptedAgreement {
    AcceptedAgreement {
        name: "General terms".to_owned(),
        category: AgreementCategory::CustomerAgreement,
        mode: AcceptanceMode::Click,
        accepted_by: "ada@north.example".to_owned(),
        accepted_at: during().start(),
        during: during(),
        link: "https://reckoner.example/terms".to_owned(),
        participants: vec![Participant {
            email: "ada@north.example".to_owned(),
            answer: Answer::Accepted,
            at: during().start(),
        }],
    }
}

/// What both versions spell alike.
pub(crate) fn check_same(known: &mut Definitions) {
    let id = AcceptedAgreementId::new("terms").unwrap();
    let of = account(AgreementType::Customer).id;
    known.check("Agreement", same::agreements::agreement(&of, &id, &accepted(), true));
    let instruction = Instruction {
        profile: PlaceId::new("ships").unwrap(),
        amount: Money::from_minor(250_050, usd()),
        during: during(),
        created_at: during().start(),
    };
    let id = InstructionId::new("summer").unwrap();
    known.check("Instruction", same::instructions::instruction("/p", &id, &instruction).unwrap());
    let detail = |level| place(level, "x", None).seen.unwrap().facts.detail;
    let of_profile = same::policies::policy("/p", &detail(Level::BillingProfile)).unwrap();
    known.check("Policy", of_profile);
    let of_customer = same::policies::policy("/c", &detail(Level::Customer)).unwrap();
    known.check("CustomerPolicy", of_customer);
    let left = Money::from_minor(50_000, usd());
    known.check("AvailableBalance", same::available_balances::view("/p", left).unwrap());
}
