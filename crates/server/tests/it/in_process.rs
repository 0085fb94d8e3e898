//! An installation without a process around it, on a clock that stands.

use calendar::{Instant, SetClock};
use domain::access::Caller;
use service::{Clocks, Config, Reckoner, company};
use std::path::Path;
use std::sync::Arc;

/// Opens or makes it; business and system time are noon of 2026-03-15.
pub(crate) async fn open(directory: &Path) -> Reckoner {
    let clock = SetClock::at(Instant::parse("2026-03-15T12:00:00Z").expect("a moment"));
    let clocks = Clocks { business: Arc::new(clock.clone()), system: Arc::new(clock) };
    Reckoner::open(Config::new(directory), clocks).await.expect("an installation")
}

/// Declares what a company file says.
pub(crate) async fn declare(reckoner: &Reckoner, text: &str) {
    let files = tempfile::tempdir().expect("a directory");
    std::fs::write(files.path().join("company.toml"), text).expect("a company file");
    let known = reckoner.company(&Caller::Machine).await.expect("the company");
    let declared = company::read_dir(files.path(), &known)
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    let plan = reckoner.plan(&Caller::Machine, &declared).await.expect("a plan");
    reckoner.apply(&Caller::Machine, &declared, &plan, "test").await.expect("applied");
}

/// Ends it in good order and opens it again.
pub(crate) async fn reopen(reckoner: Reckoner, directory: &Path) -> Reckoner {
    reckoner.close().await.expect("closed");
    drop(reckoner);
    open(directory).await
}
