//! The twin of instructions.

use super::lots::interval;
use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::words::{amount as money_of, major};
use super::wrong::Wrong;
use calendar::Instant;
use domain::ids::{BillingAccountId, InstructionId, PlaceId};
use domain::instructions;
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};

/// What may be billed to a billing profile, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Instruction {
    billing_account: Text<BillingAccountId>,
    id: Text<InstructionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    billing_profile: Text<PlaceId>,
    currency: Text<Currency>,
    amount: Text<Fixed18>,
    starts: Text<Instant>,
    ends: Text<Instant>,
    created_at: Text<Instant>,
}

impl TryFrom<Instruction> for (BillingAccountId, Step<InstructionId, instructions::Instruction>) {
    type Error = Wrong;

    fn try_from(twin: Instruction) -> Result<Self, Wrong> {
        let Instruction {
            billing_account,
            id,
            from,
            billing_profile,
            currency,
            amount,
            starts,
            ends,
            created_at,
        } = twin;
        if amount.0.is_negative() {
            return Err(Wrong::new("amount", "must not be below zero"));
        }
        let during = interval(Some(starts), Some(ends));
        let value = instructions::Instruction {
            profile: billing_profile.0,
            amount: money_of("amount", amount.0, currency.0)?,
            during: during.map_err(|wrong| Wrong::new("ends", wrong.problem))?,
            created_at: created_at.0,
        };
        let from = from.map_or(Instant::MIN, |from| from.0);
        Ok((billing_account.0, Step { of: id.0, from, value }))
    }
}

impl From<(BillingAccountId, Step<InstructionId, instructions::Instruction>)> for Instruction {
    fn from(
        (account, step): (BillingAccountId, Step<InstructionId, instructions::Instruction>),
    ) -> Instruction {
        let Step { of, from, value } = step;
        let instructions::Instruction { profile, amount, during, created_at } = value;
        Instruction {
            billing_account: Text(account),
            id: Text(of),
            from: unless(from, Instant::MIN),
            billing_profile: Text(profile),
            currency: Text(amount.currency()),
            amount: Text(major(amount)),
            starts: Text(during.start()),
            ends: Text(during.end()),
            created_at: Text(created_at),
        }
    }
}
