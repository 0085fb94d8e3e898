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
    accepted: Option<Acceptance>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    products: Vec<Product>,
}

/// Who accepted it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    by: Text<PrincipalId>,
    request_id: String,
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
            accepted,
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
            accepted: accepted.map(|Acceptance { by, request_id }| transfers::Acceptance {
                by: by.0,
                request_id,
            }),
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
            accepted,
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
            accepted: accepted.map(|transfers::Acceptance { by, request_id }| Acceptance {
                by: Text(by),
                request_id,
            }),
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

#[cfg(test)]
mod tests {
    use crate::company::{TRANSFER, Thing};
    use domain::ids::{PlaceId, PrincipalId, ResellerId, TransferId};
    use domain::places::{Level, Place, PlaceKey};
    use domain::transfers::{
        Acceptance, ProductEnd, ProductKind, Transfer, TransferProblem, TransferProduct,
        TransferState,
    };

    fn transfer() -> Transfer {
        let at = |time: &str| calendar::Instant::parse(time).expect("a time");
        let level = Level::Customer;
        let product = |kind, id: &str, end| TransferProduct { kind, id: id.to_owned(), end };
        let problem =
            TransferProblem { code: "MovePlanned".to_owned(), message: "later".to_owned() };
        Transfer {
            id: TransferId::new("T-1").expect("an id"),
            initiator: Place {
                billing_account: domain::ids::BillingAccountId::new("mpa").expect("an id"),
                key: PlaceKey { level, id: PlaceId::new("c1").expect("an id") },
            },
            profile: PlaceId::new("u1").expect("an id"),
            reseller: ResellerId::new("r1").ok(),
            asked_by: PrincipalId::new("ann").ok(),
            asked_by_email: Some("ann@example.com".to_owned()),
            recipient_email: "bob@example.com".to_owned(),
            created_at: at("2026-03-01"),
            expires_at: at("2026-03-31"),
            modified_at: at("2026-03-02"),
            state: TransferState::InProgress,
            canceled_by: None,
            accepted: Some(Acceptance {
                by: PrincipalId::new("bob").expect("an id"),
                request_id: "request".to_owned(),
            }),
            products: vec![
                product(ProductKind::Subscription, "s1", Some(ProductEnd::Moved)),
                product(ProductKind::Subscription, "s2", Some(ProductEnd::Refused(problem))),
                product(ProductKind::Reservation, "r1", None),
            ],
        }
    }

    #[test]
    fn a_transfer_survives_its_body() {
        let thing = Thing::Transfer(Box::new(transfer()));
        let read = |body: &str| Thing::read(TRANSFER, "t-1", body);
        assert_eq!((thing.kind(), thing.key().as_str()), (TRANSFER, "t-1"));
        assert_eq!(read(&thing.body()).expect("readable"), thing);
        let bare = Transfer {
            reseller: None,
            asked_by: None,
            asked_by_email: None,
            state: TransferState::Canceled,
            canceled_by: Some("ann@example.com".to_owned()),
            accepted: None,
            products: Vec::new(),
            ..transfer()
        };
        let bare = Thing::Transfer(Box::new(bare));
        assert_eq!(read(&bare.body()).expect("readable"), bare);
        let expired = Transfer { state: TransferState::Expired, ..transfer() };
        assert!(read(&Thing::Transfer(Box::new(expired)).body()).is_err());
    }
}
