//! Enterprise keys of the demo: one that reads all of the enrollment, one of each part of it, and
//! two that are refused.

use crate::commands::request_id;
use crate::context::Enterprise;
use domain::access::{Caller, Scope};
use domain::enterprise_keys::Slot;
use domain::ids::PlaceId;
use domain::places::{Level, Place, PlaceKey};
use service::{EnterpriseKeyShown, EnterpriseKeyWanted, Reckoner};
use std::time::Duration;
use world::World;

/// How long a key holds that has nearly ended when it is made.
const LAST_SECOND: i64 = 1;

/// Makes the keys.
pub(super) async fn keys(reckoner: &Reckoner, world: &World) -> anyhow::Result<Enterprise> {
    let ea = &world.accounts.ea;
    let of_enrollment = Scope::Account(ea.billing_account.clone());
    let place = |level: Level, id: &PlaceId| {
        let key = PlaceKey { level, id: id.clone() };
        Scope::Place(Place { billing_account: ea.billing_account.clone(), key })
    };
    let of_department = place(Level::Department, &ea.department);
    let of_account = place(Level::EnrollmentAccount, &ea.enrollment_account);
    let make = |owner: &Scope, slot: Slot| made(reckoner, owner.clone(), slot);
    let expired = expired(reckoner, of_department.clone()).await?;
    let revoked = make(&of_enrollment, Slot::Secondary).await?;
    let key_id = &revoked.told.key.grant.key_id;
    reckoner.revoke_enterprise_key(&Caller::Machine, key_id, &request_id()).await?;
    Ok(Enterprise {
        enrollment: ea.billing_account.to_string(),
        api_key: make(&of_enrollment, Slot::Primary).await?.text,
        department_key: make(&of_department, Slot::Primary).await?.text,
        account_owner_key: make(&of_account, Slot::Primary).await?.text,
        expired_key: expired.text,
        revoked_key: revoked.text,
        foreign_enrollment: world.accounts.foreign_enrollment.to_string(),
    })
}

async fn made(reckoner: &Reckoner, owner: Scope, slot: Slot) -> domain::Result<EnterpriseKeyShown> {
    let wanted = EnterpriseKeyWanted {
        owner,
        slot,
        allowed_ranges: Vec::new(),
        valid_from: None,
        reason: "demo".to_owned(),
    };
    reckoner.make_enterprise_key(&Caller::Machine, wanted, &request_id()).await
}

/// A key of the second slot that has ended: one is made in its last second, which is waited for.
async fn expired(reckoner: &Reckoner, owner: Scope) -> anyhow::Result<EnterpriseKeyShown> {
    let usual = reckoner.enterprise_key_lifetime_s();
    let begins = reckoner.system_now().plus_seconds(LAST_SECOND.saturating_sub(usual));
    let wanted = EnterpriseKeyWanted {
        owner,
        slot: Slot::Secondary,
        allowed_ranges: Vec::new(),
        valid_from: Some(begins),
        reason: "demo".to_owned(),
    };
    let made = reckoner.make_enterprise_key(&Caller::Machine, wanted, &request_id()).await?;
    tokio::time::sleep(Duration::from_secs(LAST_SECOND.unsigned_abs())).await;
    Ok(made)
}
