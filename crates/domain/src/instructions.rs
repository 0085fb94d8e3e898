//! Instructions: what a customer said may be billed to one of its billing profiles, and when.

use crate::company::Company;
use crate::ids::{BillingAccountId, InstructionId, PlaceId};
use calendar::{Instant, Interval};
use money::Money;

/// What holds of an instruction from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// For which billing profile.
    pub profile: PlaceId,
    /// What was set aside for it, in minor units of the profile's currency; advice, not a bound.
    pub amount: Money,
    /// When it holds.
    pub during: Interval,
    /// When it was made.
    pub created_at: Instant,
}

impl Company {
    /// The instructions of a billing account as they stand at a moment, over or not; in order of
    /// id.
    pub fn instructions_at(
        &self,
        account: &BillingAccountId,
        at: Instant,
    ) -> impl Iterator<Item = (&InstructionId, &Instruction)> {
        let known = self.instructions.get(account).into_iter().flatten();
        known.filter_map(move |(id, timeline)| Some((id, timeline.at(at)?)))
    }
}
