//! What a surface is to the server: routes, their list, and the spellings it knows.

use crate::edge::Answers;
use crate::{Elapsed, Frame, Gate, Group, Limiter, Operation, Rate, Render, Rewrite, Sizes};
use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use std::num::NonZeroU32;
use std::time::Duration;

/// What the server gives every surface.
#[derive(Clone)]
pub struct House {
    /// The door that all surfaces share.
    pub gate: Gate,
    /// What limits and durations are measured with.
    pub elapsed: Elapsed,
    /// Longest time until an answer begins.
    pub timeout: Duration,
    /// The same for operations that read everything there is.
    pub long_timeout: Duration,
    /// What of a request is read.
    pub sizes: Sizes,
    /// Requests that a principal may make at once.
    pub burst: NonZeroU32,
    /// Requests per second that it gets back.
    pub per_second: NonZeroU32,
}

impl House {
    /// A limiter of its own for a surface.
    pub fn limiter(&self) -> Limiter {
        let rate = Rate {
            burst: self.burst,
            refill_every: Duration::from_secs(1) / self.per_second.get(),
            keys_most: 100_000,
        };
        Limiter::new(rate, self.elapsed.clone())
    }

    /// The frame around a surface whose refusals look so.
    pub fn frame(&self, render: Render) -> Frame {
        Frame {
            render,
            timeout: self.timeout,
            long_timeout: self.long_timeout,
            sizes: self.sizes,
            gate: self.gate.clone(),
        }
    }
}

/// A surface, ready to be merged with the others.
pub struct Surface {
    /// Its name: the folder's.
    pub name: &'static str,
    /// Its routes, in their frame.
    pub router: Router,
    /// What it serves.
    pub operations: Vec<Operation>,
    /// Other spellings of its addresses.
    pub rewrites: Vec<Rewrite>,
}

impl Surface {
    /// A surface of one group, in a frame.
    pub fn new<S>(name: &'static str, group: Group<S>, state: S, frame: Frame) -> Surface
    where
        S: Clone + Send + Sync + 'static,
    {
        let operations = group.operations().to_vec();
        let router = frame.around(group.into_router()).with_state(state);
        let router = router.layer(map_response(move |mut response: Response| async move {
            response.extensions_mut().insert(Answers(name));
            response
        }));
        Surface { name, router, operations, rewrites: Vec::new() }
    }
}
