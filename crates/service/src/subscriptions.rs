//! The subscriptions that a caller may see.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use domain::Result;
use domain::access::{Action, Caller, Scope, may_at};
use domain::company::Subscription;
use domain::ids::SubscriptionId;

impl Reckoner {
    /// Lists the subscriptions on which the caller may do something; none without any role.
    ///
    /// Errors: none of its own.
    #[boxed]
    pub async fn subscriptions(&self, caller: &Caller) -> Result<Vec<Subscription>> {
        let look = self.look();
        let view = look.view(caller);
        let visible = look.company.subscriptions.values().filter(|subscription| {
            let scope = Scope::Subscription(subscription.id.clone());
            view.may_look_back(Action::ReadSubscription, &scope)
        });
        Ok(visible.cloned().collect())
    }

    /// Whether a subscription is one of [`Reckoner::subscriptions`].
    pub fn knows(&self, caller: &Caller, subscription: &SubscriptionId) -> bool {
        let (declared, now) = (self.0.declared(), self.now());
        let scope = Scope::Subscription(subscription.clone());
        declared.company.subscriptions.contains_key(subscription)
            && may_at(&declared.company, caller, Action::ReadSubscription, &scope, now)
    }
}
