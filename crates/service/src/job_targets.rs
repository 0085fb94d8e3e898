//! What jobs are about: for what they wait their turn, and whether it is still as it was.

use crate::structure::Look;
use crate::structure_changes::StructureChange;
use domain::access::Scope;
use domain::ids::BillingAccountId;
use store::JobRow;

/// What stands for the thing that is changed, in lines for one below an account; ids in any letter
/// case are the same. The address of an account is its buyer's, so accounts with one buyer are one
/// thing.
pub(crate) fn target_key(
    look: &Look,
    account: &BillingAccountId,
    change: &StructureChange,
) -> String {
    if let Some(holding) = change.holding() {
        return format!("{account}\n{}\n{}", holding.what(), holding.id().to_ascii_lowercase());
    }
    match change.target().last() {
        None => {
            let terms = look.company.terms_at(account, look.now);
            terms.map_or_else(|_| account.to_string(), |terms| terms.buyer.to_string())
        }
        Some((level, id)) => {
            format!("{account}\n{}\n{}", level.name(), id.to_ascii_lowercase())
        }
    }
}

/// For what a job waits its turn. An account may have had another buyer when an older one of it was
/// accepted.
pub(crate) fn turns(row: &JobRow) -> [String; 2] {
    let of_account = !row.target.contains('\n');
    let also = if of_account { &row.billing_account } else { &row.target };
    [row.target.clone(), format!("account {also}")]
}

/// What stands where a change is to be made: the same as long as it is the same.
pub(crate) fn mark(look: &Look, account: &BillingAccountId, change: &StructureChange) -> String {
    let company = &look.company;
    let told = match change.target().last() {
        None if change.holding().is_some() => {
            format!("{:?}", change.holding().and_then(|holding| look.paid_for(account, holding)))
        }
        None => {
            let terms = company.terms_at(account, look.now).ok();
            let buyer = terms.and_then(|terms| company.legal_entity_at(&terms.buyer, look.now));
            format!("{:?} {buyer:?}", company.accounts.get(account))
        }
        Some((level, id)) => {
            let known = look.known(account, *level, id);
            let scope = known.as_ref().map(|(place, _)| Scope::Place(place.clone()));
            let tags = scope.as_ref().and_then(|scope| company.tags_at(scope, look.now));
            format!("{known:?} {tags:?}")
        }
    };
    blake3::hash(told.as_bytes()).to_hex().to_string()
}
