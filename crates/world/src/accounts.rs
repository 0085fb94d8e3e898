//! The accounts that the demo hands out, one of each kind, with what may be asked for below them.

use crate::ids::{FOREIGN_ENROLLMENT, HAULIER, Ids, MILL, PARTNER, PLAIN, PRESS, RETAILER, STUDIO};
use domain::ids::{
    BillingAccountId, PlaceId, ProductId, ResellerId, ReservationId, SubscriptionId,
};

/// One account of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// A customer agreement.
    pub mca: CustomerAccount,
    /// An enterprise agreement.
    pub ea: EnterpriseAccount,
    /// A partner agreement.
    pub mpa: PartnerAccount,
    /// An online services agreement.
    pub mosp: OnlineAccount,
    /// One that none of the clients but the operator may see.
    pub foreign: BillingAccountId,
    /// An enterprise agreement that none of the clients but the operator may see.
    pub foreign_enrollment: BillingAccountId,
    /// One that gives away what it holds.
    pub recipient: RecipientAccount,
}

/// Of a customer agreement. The invoice sections lie in the first profile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the context file's")]
pub struct CustomerAccount {
    pub billing_account: BillingAccountId,
    pub billing_profile: PlaceId,
    pub other_billing_profile: PlaceId,
    pub invoice_section: PlaceId,
    pub other_invoice_section: PlaceId,
    pub subscription: SubscriptionId,
    pub product: ProductId,
}

/// Of an enterprise agreement. The enrollment account lies in the department.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the context file's")]
pub struct EnterpriseAccount {
    pub billing_account: BillingAccountId,
    pub department: PlaceId,
    pub enrollment_account: PlaceId,
    pub subscription: SubscriptionId,
}

/// Of a partner agreement. The reseller sold the customer its subscription and product.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the context file's")]
pub struct PartnerAccount {
    pub billing_account: BillingAccountId,
    pub billing_profile: PlaceId,
    pub customer: PlaceId,
    pub reseller: ResellerId,
    pub subscription: SubscriptionId,
    pub product: ProductId,
}

/// Of an online services agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the context file's")]
pub struct OnlineAccount {
    pub billing_account: BillingAccountId,
    pub subscription: SubscriptionId,
}

/// Of who gives away what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the context file's")]
pub struct RecipientAccount {
    pub billing_account: BillingAccountId,
    pub subscription: SubscriptionId,
    pub product: ProductId,
    pub reservation: ReservationId,
}

impl Accounts {
    pub(crate) fn of(ids: &Ids) -> Accounts {
        Accounts {
            mca: CustomerAccount {
                billing_account: ids.account(RETAILER),
                billing_profile: ids.place("retail profile"),
                other_billing_profile: ids.place("group profile"),
                invoice_section: ids.place("data section"),
                other_invoice_section: ids.place("shop section"),
                subscription: ids.subscription("analytics"),
                product: ids.product("support"),
            },
            ea: EnterpriseAccount {
                billing_account: ids.account(MILL),
                department: ids.place("pulp department"),
                enrollment_account: ids.place("works account"),
                subscription: ids.subscription("works"),
            },
            mpa: PartnerAccount {
                billing_account: ids.account(PARTNER),
                billing_profile: ids.place("dollars profile"),
                customer: ids.place("bakery"),
                reseller: ids.reseller("reseller"),
                subscription: ids.subscription("ovens"),
                product: ids.product("care"),
            },
            mosp: OnlineAccount {
                billing_account: ids.account(STUDIO),
                subscription: ids.subscription("renders"),
            },
            foreign: ids.account(HAULIER),
            foreign_enrollment: BillingAccountId::new(FOREIGN_ENROLLMENT).expect(PLAIN),
            recipient: RecipientAccount {
                billing_account: ids.account(PRESS),
                subscription: ids.subscription("proofs"),
                product: ids.product("archive product"),
                reservation: ids.reservation("press reservation"),
            },
        }
    }
}
