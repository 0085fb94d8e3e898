//! What both versions do to change something: a job for what takes its time, roles given and taken.

use crate::Billing;
use crate::at::At;
use crate::given::{sent, told, wrong};
use crate::jobs::{SURFACE, accepted};
use crate::reading::Spot;
use crate::roles::described;
use armkit::ArmError;
use axum::extract::FromRequestParts;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::Response;
use domain::Error;
use domain::access::{Caller, Role};
use domain::agreements::AgreementType;
use domain::ids::PrincipalId;
use httpkit::{Asking, BaseUrl, LookedAt, RequestId};
use service::{
    Condition, Grantee, IfGiven, JobAsked, Reckoner, RoleAsked, RoleTold, StructureChange,
};

/// A request that changes something.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) caller: Caller,
    pub(crate) at: At,
    pub(crate) request_id: String,
    base: BaseUrl,
    condition: Condition,
    /// The version by which what is changed is as `If-Match` and `If-None-Match` demand it.
    looked_at: Option<u64>,
}

impl Writing {
    /// What the change is made with: it is held to what was looked at.
    pub(crate) fn reckoner(&self, billing: &Billing) -> Reckoner {
        billing.reckoner.changing_at(self.looked_at)
    }
}

impl FromRequestParts<Billing> for Writing {
    type Rejection = ArmError;

    async fn from_request_parts(parts: &mut Parts, state: &Billing) -> Result<Writing, ArmError> {
        let Asking(caller) = Asking::from_request_parts(parts, state).await?;
        let at = At::from_request_parts(parts, state).await?;
        let request_id = RequestId::from_request_parts(parts, state).await?.to_string();
        let base = BaseUrl::from_request_parts(parts, state).await?;
        let looked_at = parts.extensions.get::<LookedAt>().map(|LookedAt(version)| *version);
        let headers = &parts.headers;
        let is_named = headers.get(IF_MATCH).is_some_and(|tag| tag.as_bytes() != b"*");
        let condition = match looked_at {
            Some(_) if is_named || headers.contains_key(IF_NONE_MATCH) => Condition::Unchanged,
            Some(_) | None => Condition::Always,
        };
        Ok(Writing { caller, at, request_id, base, condition, looked_at })
    }
}

/// A role and who shall have it, as the body says it.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The role definition.
    pub(crate) definition: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) if_given: IfGiven,
}

/// A role with where it is held.
pub(crate) struct Held {
    pub(crate) spot: Spot,
    pub(crate) kind: AgreementType,
    pub(crate) told: RoleTold,
}

impl Billing {
    /// Accepts a change of an account or of a place in it: 202, and where to ask what became of
    /// it.
    pub(crate) async fn accept(
        &self,
        writing: &Writing,
        (version, operation): (&'static str, &'static str),
        change: StructureChange,
    ) -> Result<Response, ArmError> {
        let Writing { caller, at, request_id, base, condition, looked_at: _ } = writing;
        let account = self.account(caller, at.account(), operation).await?;
        let (billing_account, condition) = (account.id, *condition);
        let asked =
            JobAsked { surface: SURFACE, version, operation, billing_account, change, condition };
        let job = writing.reckoner(self).accept_job(caller, asked, request_id).await;
        Ok(accepted(base, &job.map_err(|error| told(operation, error))?))
    }

    /// Gives a role where the path says.
    pub(crate) async fn give(&self, writing: &Writing, wanted: Wanted) -> Result<Held, ArmError> {
        let Writing { caller, at, request_id, .. } = writing;
        let (kind, spot) = self.role_spot(caller, at).await?;
        let Wanted { definition, principal, email, if_given } = wanted;
        let refused = |error| told(at.operation, error);
        let missing = |field| wrong(sent(at.operation, field), "must be there");
        let definition = definition.ok_or_else(|| missing("role"))?;
        let id = definition.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let role = role_of(kind, &spot, id).ok_or_else(|| {
            let problem = format!("`{definition}` is no role definition of this scope");
            wrong(sent(at.operation, "role"), problem)
        })?;
        let grantee = match (principal, email) {
            (Some(id), _) => Grantee::Principal(PrincipalId::new(&id).map_err(refused)?),
            (None, Some(email)) => Grantee::Email(email),
            (None, None) => return Err(missing("principal")),
        };
        let asked = RoleAsked { role, scope: spot.scope.clone(), grantee, if_given };
        let reckoner = writing.reckoner(self);
        let told = reckoner.give_role(caller, &asked, request_id).await.map_err(refused)?;
        Ok(Held { spot, kind, told })
    }

    /// Takes the role that the path names.
    pub(crate) async fn take(&self, writing: &Writing) -> Result<Held, ArmError> {
        let Writing { caller, at, request_id, .. } = writing;
        let (kind, spot) = self.role_spot(caller, at).await?;
        let name = at.name("billingRoleAssignmentName");
        let missing = || Error::not_found("role assignment", name);
        let (id, principal) = name.split_once('_').ok_or_else(missing)?;
        let role = role_of(kind, &spot, id).ok_or_else(missing)?;
        let principal = PrincipalId::new(principal).map_err(|_| missing())?;
        let reckoner = writing.reckoner(self);
        let taken = reckoner.take_role(caller, role, &principal, &spot.scope, request_id);
        let told = taken.await?;
        Ok(Held { spot, kind, told })
    }

    async fn role_spot(&self, caller: &Caller, at: &At) -> Result<(AgreementType, Spot), ArmError> {
        let (account, spot) = self.scope(caller, at).await?;
        let kind = account.kind.ok_or_else(|| Error::not_found("role", at.account()))?;
        Ok((kind, spot))
    }
}

/// The role of a place with an id of the vendor's.
fn role_of(kind: AgreementType, spot: &Spot, id: &str) -> Option<Role> {
    let is_asked =
        |role: &Role| described(*role).is_some_and(|known| known.id.eq_ignore_ascii_case(id));
    Role::given_at(kind, spot.level).into_iter().find(is_asked)
}
