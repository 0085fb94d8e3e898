//! Usage in: CloudEvents and NDJSON, with a verdict for each record.

mod answer;
mod cloud_events;
mod events;

use httpkit::{Group, House, Surface};
use service::Reckoner;

/// The surface.
pub fn surface(reckoner: &Reckoner, house: &House) -> Surface {
    Surface::new("intake", group(), reckoner.clone(), house.frame(httpkit::plain))
}

fn group() -> Group<Reckoner> {
    Group::new().post("Events_Take", "/intake/v1", "/events", events::take).post(
        "Sources_ReportUntil",
        "/intake/v1",
        "/sources/{source}/reportedUntil",
        events::report_until,
    )
}

#[cfg(test)]
mod tests;
