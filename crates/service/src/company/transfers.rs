//! The twin of transfers: they stand in facts only, no company file declares them.

use super::text::Text;
use super::wrong::Wrong;
use calendar::Instant;
use domain::ids::{BillingAccountId, PlaceId, PrincipalId, ResellerId, TransferId};
use domain::places::{Level, Place, PlaceKey};
use domain::transfers::{self, ProductEnd, ProductKind, TransferProblem, TransferState};
use serde::{Deserialize, Serialize};

/// A transfer, as it stands.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    id: Text<TransferId>,
    billing_account: Text<BillingAccountId>,
    level: Text<Level>,
    place: Text<PlaceId>,
    billing_profile: Text<PlaceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reseller: Option<Text<ResellerId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_by: Option<Text<PrincipalId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_by_email: Option<String>,
    recipient_email: String,
    created_at: Text<Instant>,
    expires_at: Text<Instant>,
    modified_at: Text<Instant>,
    state: Text<TransferState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    canceled_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted_by: Option<Text<PrincipalId>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    products: Vec<Product>,
}

/// A holding that was chosen.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    kind: Text<ProductKind>,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<End>,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum End {
    Moved,
    Refused { code: String, message: String },
}

impl TryFrom<Transfer> for transfers::Transfer {
    type Error = Wrong;

    fn try_from(twin: Transfer) -> Result<transfers::Transfer, Wrong> {
        let Transfer {
            id,
            billing_account,
            level,
            place,
            billing_profile,
            reseller,
            asked_by,
            asked_by_email,
            recipient_email,
            created_at,
            expires_at,
            modified_at,
            state,
            canceled_by,
            accepted_by,
            products,
        } = twin;
        if state.0 == TransferState::Expired {
            return Err(Wrong::new("state", "is read off the clock, and never declared"));
        }
        let key = PlaceKey { level: level.0, id: place.0 };
        Ok(transfers::Transfer {
            id: id.0,
            initiator: Place { billing_account: billing_account.0, key },
            profile: billing_profile.0,
            reseller: reseller.map(|reseller| reseller.0),
            asked_by: asked_by.map(|principal| principal.0),
            asked_by_email,
            recipient_email,
            created_at: created_at.0,
            expires_at: expires_at.0,
            modified_at: modified_at.0,
            state: state.0,
            canceled_by,
            accepted_by: accepted_by.map(|principal| principal.0),
            products: products.into_iter().map(Product::into).collect(),
        })
    }
}

impl From<transfers::Transfer> for Transfer {
    fn from(transfer: transfers::Transfer) -> Transfer {
        let transfers::Transfer {
            id,
            initiator: Place { billing_account, key: PlaceKey { level, id: place } },
            profile,
            reseller,
            asked_by,
            asked_by_email,
            recipient_email,
            created_at,
            expires_at,
            modified_at,
            state,
            canceled_by,
            accepted_by,
            products,
        } = transfer;
        Transfer {
            id: Text(id),
            billing_account: Text(billing_account),
            level: Text(level),
            place: Text(place),
            billing_profile: Text(profile),
            reseller: reseller.map(Text),
            asked_by: asked_by.map(Text),
            asked_by_email,
            recipient_email,
            created_at: Text(created_at),
            expires_at: Text(expires_at),
            modified_at: Text(modified_at),
            state: Text(state),
            canceled_by,
            accepted_by: accepted_by.map(Text),
            products: products.into_iter().map(Product::from).collect(),
        }
    }
}

impl From<Product> for transfers::TransferProduct {
    fn from(Product { kind, id, end }: Product) -> transfers::TransferProduct {
        let end = end.map(|end| match end {
            End::Moved => ProductEnd::Moved,
            End::Refused { code, message } => {
                ProductEnd::Refused(TransferProblem { code, message })
            }
        });
        transfers::TransferProduct { kind: kind.0, id, end }
    }
}

impl From<transfers::TransferProduct> for Product {
    fn from(product: transfers::TransferProduct) -> Product {
        let transfers::TransferProduct { kind, id, end } = product;
        let end = end.map(|end| match end {
            ProductEnd::Moved => End::Moved,
            ProductEnd::Refused(TransferProblem { code, message }) => {
                End::Refused { code, message }
            }
        });
        Product { kind: Text(kind), id, end }
    }
}
