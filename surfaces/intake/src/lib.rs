//! Usage in: CloudEvents and NDJSON, with a verdict for each record.

mod answer;
mod cloud_events;
mod events;
mod misread;

pub use cloud_events::read_again;

use httpkit::{Group, House, Surface};
use service::Reckoner;

/// Where everything of this surface stands.
const INTAKE: &str = "/intake/v1";

/// The surface.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    Surface::new("intake", group(), reckoner.clone(), house.frame(httpkit::plain))
}

fn group() -> Group<Reckoner> {
    Group::new()
        .post("Events_Take", INTAKE, "/events", events::take)
        .post(
            "Sources_ReportUntil",
            INTAKE,
            "/sources/{source}/reportedUntil",
            events::report_until,
        )
        .rest("/intake")
}

#[cfg(test)]
mod tests;
