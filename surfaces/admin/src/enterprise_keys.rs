//! Enterprise keys: two for each enrollment, department and enrollment account.

use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Error;
use domain::access::Scope;
use domain::api_keys::{AddressRange, KeyState, Term};
use domain::enterprise_keys::{EnterpriseKey, Slot};
use domain::ids::{BillingAccountId, PlaceId};
use domain::places::{Level, Place, PlaceKey};
use httpkit::{Asking, Faults, JsonBody, Parameters, Path, Refusal, RequestId, ShownOnce};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{EnterpriseKeyShown, EnterpriseKeyTold, EnterpriseKeyWanted, Reckoner};

/// Makes a key in a slot that is empty, or whose key has ended.
pub(crate) async fn make(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<ShownOnce<(StatusCode, Json<Shown>)>, Refusal> {
    let wanted = EnterpriseKeyWanted::try_from(wanted)?;
    let made = reckoner.make_enterprise_key(&caller, wanted, &request_id.to_string()).await?;
    Ok(ShownOnce((StatusCode::CREATED, Json(Shown::from(made)))))
}

/// Makes a key anew: it ends at once, and another takes its slot.
pub(crate) async fn remake(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<ShownOnce<(StatusCode, Json<Shown>)>, Refusal> {
    let request_id = request_id.to_string();
    let made = reckoner.remake_enterprise_key(&caller, &id, "", &request_id).await?;
    Ok(ShownOnce((StatusCode::CREATED, Json(Shown::from(made)))))
}

/// Lists the keys that an owner has and had, without their texts.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let Asked { billing_account, department, enrollment_account } = asked;
    let mut faults = Faults::default();
    let owner = owner(&mut faults, &billing_account, (department, enrollment_account));
    let owner = faults.end(owner)?;
    let keys = reckoner.enterprise_keys(&caller, &owner).await?;
    Ok(Json(Answer { keys: keys.into_iter().map(Item::from).collect() }))
}

/// Shows a key with its text.
pub(crate) async fn one(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Refusal> {
    Ok(Json(Shown::from(reckoner.show_enterprise_key(&caller, &id).await?)))
}

/// Revokes a key.
pub(crate) async fn revoke(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    reckoner.revoke_enterprise_key(&caller, &id, &request_id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose keys.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: String,
    department: Option<String>,
    enrollment_account: Option<String>,
}

/// What a new key shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    billing_account: String,
    department: Option<String>,
    enrollment_account: Option<String>,
    slot: String,
    #[serde(default)]
    allowed_ranges: Vec<String>,
    valid_from: Option<String>,
    #[serde(default)]
    reason: String,
}

impl TryFrom<Wanted> for EnterpriseKeyWanted {
    type Error = Refusal;

    fn try_from(wanted: Wanted) -> Result<EnterpriseKeyWanted, Refusal> {
        let Wanted { billing_account, department, enrollment_account, slot, .. } = &wanted;
        let Wanted { allowed_ranges, valid_from, reason, .. } = &wanted;
        let mut faults = Faults::default();
        let places = (department.clone(), enrollment_account.clone());
        let owner = owner(&mut faults, billing_account, places);
        let slot = faults.read("slot", read_slot(slot));
        let ranges =
            faults.read_each("allowed_ranges", allowed_ranges, |range| AddressRange::parse(range));
        let valid_from = faults
            .read_if("valid_from", valid_from.as_ref(), |text| wire::instant("valid_from", text));
        let wanted = || {
            Some(EnterpriseKeyWanted {
                owner: owner?,
                slot: slot?,
                allowed_ranges: ranges?,
                valid_from: valid_from?,
                reason: reason.clone(),
            })
        };
        faults.end(wanted())
    }
}

/// Reads whose keys are meant: a billing account's, or those of one place in it.
fn owner(
    faults: &mut Faults,
    account: &str,
    (department, enrollment_account): (Option<String>, Option<String>),
) -> Option<Scope> {
    let account = faults.read("billing_account", BillingAccountId::new(account));
    let both = department.is_some() && enrollment_account.is_some();
    let alone = if both {
        Err(Error::invalid("enrollment_account", "cannot stand beside `department`"))
    } else {
        Ok(())
    };
    let alone = faults.read("enrollment_account", alone);
    let place = |text: String| PlaceId::new(&text);
    let department = faults.read_if("department", department, place);
    let enrollment_account = faults.read_if("enrollment_account", enrollment_account, place);
    let (account, ()) = account.zip(alone)?;
    let at = |level: Level, id: PlaceId| {
        let key = PlaceKey { level, id };
        Scope::Place(Place { billing_account: account.clone(), key })
    };
    match (department?, enrollment_account?) {
        (Some(id), _) => Some(at(Level::Department, id)),
        (None, Some(id)) => Some(at(Level::EnrollmentAccount, id)),
        (None, None) => Some(Scope::Account(account)),
    }
}

fn read_slot(name: &str) -> domain::Result<Slot> {
    Slot::parse(name)
        .ok_or_else(|| Error::invalid("slot", format!("`{name}` is neither primary nor secondary")))
}

/// Keys of an owner.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    keys: Vec<Item>,
}

/// A key with its text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    #[serde(flatten)]
    told: Item,
    key: String,
}

impl From<EnterpriseKeyShown> for Shown {
    fn from(EnterpriseKeyShown { told, text }: EnterpriseKeyShown) -> Shown {
        Shown { told: Item::from(told), key: text }
    }
}

/// What is known of a key.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    key_id: String,
    billing_account: Option<String>,
    department: Option<String>,
    enrollment_account: Option<String>,
    slot: &'static str,
    principal: String,
    allowed_ranges: Vec<String>,
    state: &'static str,
    created_at: String,
    valid_from: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

impl From<EnterpriseKeyTold> for Item {
    fn from(told: EnterpriseKeyTold) -> Item {
        let EnterpriseKeyTold { key, state, created_at, last_used_at } = told;
        let EnterpriseKey { grant, slot, term, allowed_ranges } = key;
        let Term { valid_from, expires_at, revoked_at } = term;
        let place = |level: Level| match &grant.scope {
            Scope::Place(place) if place.key.level == level => Some(place.key.id.to_string()),
            _ => None,
        };
        Item {
            billing_account: grant.billing_account().map(ToString::to_string),
            department: place(Level::Department),
            enrollment_account: place(Level::EnrollmentAccount),
            slot: slot.name(),
            principal: grant.principal.to_string(),
            allowed_ranges: allowed_ranges.iter().map(ToString::to_string).collect(),
            state: state_name(state),
            created_at: created_at.to_string(),
            valid_from: valid_from.to_string(),
            expires_at: expires_at.map(|at| at.to_string()),
            revoked_at: revoked_at.map(|at| at.to_string()),
            last_used_at: last_used_at.map(|at| at.to_string()),
            key_id: grant.key_id,
        }
    }
}

const fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::NotYet => "not_yet",
        KeyState::Live => "live",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
    }
}
