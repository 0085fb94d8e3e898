//! Ids of accounts, places, holdings and people, in the shapes that vendors give them.

use crate::draw::Draw;
use domain::ids::{
    BillingAccountId, PlaceId, PrincipalId, ProductId, ResellerId, ReservationId, SubscriptionId,
    TenantId,
};
use std::collections::BTreeMap;

/// How an id looks. Source: `microsoft-billing.md` section 2, `infobip.md` section 2.
#[derive(Clone, Copy)]
enum Shape {
    Guid,
    /// Two GUIDs and the day on which the agreement's kind began.
    Agreement,
    /// A number of so many digits.
    Digits(u32),
    /// `XXXX-XXXX-XXX-XXX`.
    Code,
    /// The key of a messaging account.
    Key,
}

use Shape::{Agreement, Code, Digits, Guid, Key};

/// The retailer: a customer agreement. It rents machines.
pub(crate) const RETAILER: &str = "retailer";
/// Paper mills: an enterprise agreement.
pub(crate) const MILL: &str = "mill";
/// Resells: a partner agreement.
pub(crate) const PARTNER: &str = "partner";
/// A small one: an online services agreement.
pub(crate) const STUDIO: &str = "studio";
/// The company that sends messages.
pub(crate) const MESSENGER: &str = "messenger";
/// A haulier abroad, whom the demo's clients do not see.
pub(crate) const HAULIER: &str = "haulier";
/// Gives subscriptions away to others.
pub(crate) const PRESS: &str = "press";

/// A saw mill's enrollment number: it has a digit more than any that is drawn.
pub(crate) const FOREIGN_ENROLLMENT: &str = "40071285";

/// Everything that has an id, but for meters.
const ALL: [(&str, Shape); 63] = [
    ("tenant", Guid),
    ("own", Guid),
    ("analytics", Guid),
    ("sandbox", Guid),
    ("group it", Guid),
    ("foreign", Guid),
    ("campaigns", Guid),
    ("alerts", Guid),
    ("client owner", Guid),
    ("client contributor", Guid),
    ("client reader", Guid),
    ("client billing_reader", Guid),
    ("client nobody", Guid),
    ("client operator", Guid),
    ("client recipient", Guid),
    (RETAILER, Agreement),
    ("retail profile", Code),
    ("group profile", Code),
    ("shop section", Code),
    ("data section", Code),
    ("identity section", Code),
    ("stores section", Code),
    (MILL, Digits(7)),
    ("pulp department", Digits(6)),
    ("print department", Digits(6)),
    ("works account", Digits(6)),
    ("plates account", Digits(6)),
    ("lab account", Digits(6)),
    ("works", Guid),
    ("lab", Guid),
    (PARTNER, Agreement),
    ("dollars profile", Code),
    ("euros profile", Code),
    ("bakery", Guid),
    ("clinic", Guid),
    ("reseller", Guid),
    ("ovens", Guid),
    ("wards", Guid),
    (STUDIO, Guid),
    ("renders", Guid),
    (MESSENGER, Key),
    ("marketing account", Key),
    ("campaigns account", Key),
    ("alerts account", Key),
    ("archive account", Key),
    (HAULIER, Agreement),
    ("haulage profile", Code),
    ("routes section", Code),
    (PRESS, Agreement),
    ("press profile", Code),
    ("books section", Code),
    ("proofs", Guid),
    ("support", Guid),
    ("certificate", Guid),
    ("gate product", Guid),
    ("care", Guid),
    ("archive product", Guid),
    ("group reservation", Guid),
    ("press reservation", Guid),
    ("terms", Guid),
    ("affiliates", Guid),
    ("marketplace meter", Guid),
    ("vendor meter", Guid),
];

/// Ids of what came later: they have a series of their own, so that no other id changes.
const LATER: [(&str, Shape); 2] = [("channels", Guid), ("south campaigns account", Key)];

/// Ids by the keys of this crate.
pub(crate) struct Ids(BTreeMap<&'static str, String>);

impl Ids {
    /// Draws an id for each key: the first ones from `draw`, of which the rest is the caller's.
    pub(crate) fn draw(draw: &mut Draw, later: &mut Draw) -> Ids {
        let first: Vec<_> = ALL.iter().map(|(key, shape)| (*key, shape.draw(draw))).collect();
        let later = LATER.iter().map(|(key, shape)| (*key, shape.draw(later)));
        Ids(first.into_iter().chain(later).collect())
    }

    /// The text of an id.
    pub(crate) fn of(&self, key: &str) -> &str {
        &self.0[key]
    }

    /// All of them: key and id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, id)| (*key, id.as_str()))
    }

    /// The id of a tenant.
    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::new(self.of("tenant")).expect(PLAIN)
    }

    /// The id of a billing account.
    pub(crate) fn account(&self, key: &str) -> BillingAccountId {
        BillingAccountId::new(self.of(key)).expect(PLAIN)
    }

    /// The id of a place.
    pub(crate) fn place(&self, key: &str) -> PlaceId {
        PlaceId::new(self.of(key)).expect(PLAIN)
    }

    /// The id of a reseller.
    pub(crate) fn reseller(&self, key: &str) -> ResellerId {
        ResellerId::new(self.of(key)).expect(PLAIN)
    }

    /// The id of a subscription.
    pub(crate) fn subscription(&self, key: &str) -> SubscriptionId {
        SubscriptionId::new(self.of(key)).expect(PLAIN)
    }

    /// The id of a product.
    pub(crate) fn product(&self, key: &str) -> ProductId {
        ProductId::new(self.of(key)).expect(PLAIN)
    }

    /// The id of a reservation.
    pub(crate) fn reservation(&self, key: &str) -> ReservationId {
        ReservationId::new(self.of(key)).expect(PLAIN)
    }

    /// The id of a client.
    pub(crate) fn client(&self, name: &str) -> PrincipalId {
        PrincipalId::new(self.of(&format!("client {name}"))).expect(PLAIN)
    }
}

pub(crate) const PLAIN: &str = "a short plain text";

impl Shape {
    fn draw(self, draw: &mut Draw) -> String {
        match self {
            Guid => draw.guid(),
            Agreement => format!("{}:{}_2019-05-31", draw.guid(), draw.guid()),
            Digits(count) => {
                let least = 10_i64.pow(count.saturating_sub(1));
                draw.between(least, least.saturating_mul(10).saturating_sub(1)).to_string()
            }
            Code => {
                let part = |draw: &mut Draw, count: usize| -> String {
                    (0..count).map(|_| char::from(*draw.one(LETTERS))).collect()
                };
                [4, 4, 3, 3].map(|count| part(draw, count)).join("-")
            }
            Key => draw.guid().replace('-', "").to_uppercase(),
        }
    }
}

/// Letters of codes.
const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
