//! Instructions: what a customer set aside for a billing profile.

use crate::Billing;
use crate::at::{At, id};
use crate::given::{Any, Body, Whole, told, wrong};
use crate::listing::Listing;
use crate::resource::{Resource, time};
use crate::writing::Writing;
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use calendar::Instant;
use domain::Error;
use domain::ids::InstructionId;
use domain::instructions::Instruction as Known;
use httpkit::{Asking, ExactNumber};
use money::Fixed18;
use serde::{Deserialize, Serialize};
use service::InstructionAsked;

type Instruction = Resource<InstructionProperties>;

pub(crate) async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Instruction>>, ArmError> {
    let (_, profile) = listing.billing.place(&caller, &at).await?;
    let all = listing.billing.reckoner.instructions(&caller, &profile.place).await?;
    let path = id(&profile);
    let told = all.iter().map(|(id, one)| instruction(&path, id, one));
    Ok(Json(listing.numbered(told.collect::<Result<Vec<_>, _>>()?)?))
}

pub(crate) async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Instruction>, ArmError> {
    let (_, profile) = billing.place(&caller, &at).await?;
    let all = billing.reckoner.instructions(&caller, &profile.place).await?;
    let name = at.name("instructionName");
    let found = all.iter().find(|(id, _)| id.as_str().eq_ignore_ascii_case(name));
    let (known, one) = found.ok_or_else(|| Error::not_found("instruction", name))?;
    Ok(Json(instruction(&id(&profile), known, one)?))
}

/// Puts one in the place of what had its name, or beside the others.
pub(crate) async fn put(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<InstructionGiven>>,
) -> Result<Json<Instruction>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let (_, profile) = billing.place(caller, at).await?;
    let InstructionGiven { amount: ExactNumber(amount), start_date, end_date, .. } =
        given.properties;
    let starts = instant("properties.startDate", &start_date)?;
    let ends = instant("properties.endDate", &end_date)?;
    let refused = |error| told(at.operation, error);
    let name = InstructionId::new(at.name("instructionName")).map_err(refused)?;
    let asked = InstructionAsked { amount, starts, ends };
    let reckoner = writing.reckoner(&billing);
    let put = reckoner.put_instruction(caller, &profile.place, &name, &asked, request_id);
    let (known, one) = put.await.map_err(refused)?;
    Ok(Json(instruction(&id(&profile), &known, &one)?))
}

fn instant(member: &str, text: &str) -> Result<Instant, ArmError> {
    Instant::parse(text).map_err(|error| wrong(member, error.to_string()))
}

/// `InstructionProperties`, as they are sent; when it was made is known here.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InstructionGiven {
    pub(crate) amount: ExactNumber<Fixed18>,
    pub(crate) start_date: String,
    pub(crate) end_date: String,
    creation_date: Option<Any>,
}

/// `InstructionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstructionProperties {
    amount: ExactNumber<Fixed18>,
    start_date: String,
    end_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_date: Option<String>,
}

pub(crate) fn instruction(
    profile: &str,
    id: &InstructionId,
    one: &Known,
) -> Result<Instruction, Error> {
    let amount = one.amount.to_cost().map_err(|e| Error::money("spell an instruction", e))?;
    let properties = InstructionProperties {
        amount: ExactNumber(amount.major),
        start_date: one.during.start().to_string(),
        end_date: one.during.end().to_string(),
        creation_date: time(one.created_at),
    };
    let kind = "billingAccounts/billingProfiles/instructions";
    Ok(Resource::new(format!("{profile}/instructions/{id}"), id.as_str(), kind, properties))
}
