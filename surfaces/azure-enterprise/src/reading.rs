//! The key of a request, and whose reports it reads.

use crate::routes::Version;
use crate::{Enterprise, asked};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::{AUTHORIZATION, IF_NONE_MATCH};
use axum::http::request::Parts;
use calendar::BillingPeriod;
use domain::Error;
use domain::access::{Action, Caller, Scope};
use domain::ids::BillingAccountId;
use httpkit::{LimitKey, Peer, Refusal, RequestId};

/// Who reads what: an argument of handlers, which refuses what no key opens. A key is asked for
/// before anything else in an address or query is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The key's holder, for the use cases.
    pub(crate) caller: Caller,
    /// What the key reads of: the enrollment, a department or an enrollment account.
    pub(crate) scope: Scope,
    /// The enrollment, which is the address's and the key's.
    pub(crate) enrollment: BillingAccountId,
    /// The version that is asked for.
    pub(crate) version: Version,
    /// The billing period in the address, where it has one.
    pub(crate) period: Option<BillingPeriod>,
    /// Tags that the asker has.
    pub(crate) known: Vec<String>,
}

/// A reading of all of an enrollment: keys of a part of it are refused with 403. For balances,
/// price sheets and charges.
///
/// Source: `enterprise-reporting.md` section 1.5.
#[derive(Debug, Clone)]
pub(crate) struct Whole(pub(crate) Reading);

impl Reading {
    /// The billing period of the address, else the one that is open by business time.
    pub(crate) fn period_or_current(&self, enterprise: &Enterprise) -> BillingPeriod {
        self.period.unwrap_or_else(|| BillingPeriod::of(enterprise.reckoner.now()))
    }
}

impl FromRequestParts<Enterprise> for Reading {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        enterprise: &Enterprise,
    ) -> Result<Reading, Refusal> {
        let named = Named::of(parts, enterprise).await;
        let request_id = RequestId::from_request_parts(parts, enterprise).await?.to_string();
        let version = Version::from_request_parts(parts, enterprise).await?;
        let from = parts.extensions.get::<Option<Peer>>().copied().flatten().map(|peer| peer.0);
        let shown = authorization(parts);
        let reckoner = &enterprise.reckoner;
        let grant =
            reckoner.enterprise_key_used(&shown, from, &named.enrollment, &request_id).await?;
        let key = LimitKey { principal: grant.key_id.clone(), scope: String::new() };
        enterprise.limiter.check(&key)?;
        let foreign = || Error::Unauthenticated { problem: "the key is of no enrollment".into() };
        let enrollment = grant.billing_account().ok_or_else(foreign)?.clone();
        let now = enterprise.reckoner.now();
        let period = named.period.map(|text| asked::period("billingPeriod", &text, now));
        Ok(Reading {
            scope: grant.scope.clone(),
            caller: Caller::Enterprise(grant),
            enrollment,
            version,
            period: period.transpose()?,
            known: known(parts),
        })
    }
}

impl FromRequestParts<Enterprise> for Whole {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        enterprise: &Enterprise,
    ) -> Result<Whole, Refusal> {
        let reading = Reading::from_request_parts(parts, enterprise).await?;
        match reading.scope {
            Scope::Account(_) => Ok(Whole(reading)),
            _ => Err(Error::Forbidden { action: Action::ReadBalance.name() }.into()),
        }
    }
}

/// What an address names, not yet believed.
struct Named {
    enrollment: String,
    period: Option<String>,
}

impl Named {
    async fn of(parts: &mut Parts, enterprise: &Enterprise) -> Named {
        let found = RawPathParams::from_request_parts(parts, enterprise).await;
        // An enrollment that cannot be is like one that is not there.
        let Ok(found) = found else { return Named { enrollment: String::new(), period: None } };
        let of = |wanted: &str| {
            let mut all = found.iter().filter(|(name, _)| *name == wanted);
            all.next().map(|(_, value)| value.to_owned())
        };
        Named { enrollment: of("enrollment").unwrap_or_default(), period: of("period") }
    }
}

/// The header's value; empty where none was sent, more than one, or an unreadable one.
fn authorization(parts: &Parts) -> String {
    let mut given = parts.headers.get_all(AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(one), None) => one.to_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// The tags of `If-None-Match`, as [`crate::fresh::Tag`] spells them: without quotes and marks of
/// being weak.
fn known(parts: &Parts) -> Vec<String> {
    let values = parts.headers.get_all(IF_NONE_MATCH).iter();
    let listed = values.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    let bare = |one: &str| {
        let one = one.trim();
        one.strip_prefix("W/").unwrap_or(one).trim_matches('"').to_owned()
    };
    listed.map(bare).filter(|one| !one.is_empty()).collect()
}
