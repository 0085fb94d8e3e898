//! What every HTTP surface shares: operation groups, one frame around them, one edge around all.
//!
//! A surface is a [`Group`] inside a [`Frame`]; the server merges surfaces and puts the [`Edge`]
//! around them. Whatever goes wrong travels as a [`Refusal`] until the frame of the surface
//! gives it that surface's shape.

mod base_url;
mod body;
mod caller;
mod conditional;
mod described;
mod edge;
mod extract;
mod faults;
mod frame;
mod group;
mod json;
mod limiter;
mod number;
mod peer;
mod refusal;
mod seal;
mod surface;
mod unread;

#[cfg(test)]
mod tests;

pub use base_url::{BaseUrl, Scheme};
pub use body::WholeBody;
pub use caller::{Asking, Authenticate, Shown};
pub use conditional::{Excerpt, LookedAt, conditional, conditional_here};
pub use described::{
    Described, Effect, Gives, NotKept, ShownOnce, Table, Takes, Tells, Written, openapi,
};
pub use edge::{Answered, Edge, Elapsed, Forwarded, Observe, REQUEST_ID, RequestId, Rewrite};
pub use extract::{Parameters, Path};
pub use faults::{Fault, Faults};
pub use frame::{Frame, Gate, Sizes, Unhurried};
pub use group::{Group, Operation, listing};
pub use json::{JsonBody, JsonList, Object};
pub use limiter::{LimitKey, Limiter, Rate};
pub use number::ExactNumber;
pub use peer::Peer;
pub use refusal::{Refusal, Render, plain, retry_after_s};
pub use seal::{Purpose, Sealer};
pub use surface::{House, Surface};
