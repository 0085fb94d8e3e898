//! A crash at every step of what does not go well: a change that another overtook fails, one that
//! fails by no fault of its own is tried again, one that was tried often enough is given up. Each
//! ends once, and each try counts once.

use crate::books::{Books, refuse, refuse_no_more, try_but_once_more};
use crate::histories::{Place, within};
use crate::in_process::declare;
use crate::long_running::version;
use crate::structure_changes::{accepted, asked, declared, profile, standing};
use domain::access::Caller;
use service::{
    AuditFilter, Condition, FailureKind, JobFailure, JobStanding, JobTold, Put, Reckoner,
};

/// How what is asked for comes to its end.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Two changes are held to what stood there before both.
    Overtaken,
    /// One is tried twice in vain.
    Postponed,
    /// One is tried in vain for the last time.
    GivenUp,
}

/// What is left that must not depend on where the program was cut off.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// How many facts there are more.
    facts: u64,
    /// What the audit log tells of it.
    outcomes: Vec<String>,
    /// How each job stands.
    standings: Vec<JobStanding>,
}

impl Way {
    /// Asks for the changes.
    async fn ask(self, place: &Place, reckoner: &Reckoner, nth: u64) -> Vec<JobTold> {
        if let Way::Overtaken = self {
            let mut jobs = Vec::new();
            for name in ["First", "Second"] {
                let change = profile("Ships", Put::Refused, &format!("{name} {nth}"));
                let job = asked(reckoner, ("ada", "North"), change, Condition::Unchanged).await;
                jobs.push(job.expect("accepted"));
            }
            return jobs;
        }
        refuse(place.books(), "Cursed");
        let change = profile(&format!("{self:?}-{nth}"), Put::Made, "Cursed");
        let job = accepted(reckoner, "ada", change).await;
        if let Way::GivenUp = self {
            try_but_once_more(place.books());
        }
        vec![job]
    }

    /// Goes on behind the crash until all have ended.
    async fn go_on(self, place: &Place, reckoner: &Reckoner) {
        let carried_out = reckoner.carry_out_jobs().await;
        let is_try = |nth: u64, error: domain::Error| {
            let told = error.to_string();
            assert!(told.starts_with(&format!("try {nth} of 8 of job ")), "{self:?}: {told}");
        };
        match self {
            Way::Overtaken => {
                carried_out.expect("carried out");
            }
            Way::Postponed => {
                // What was noted before the crash waits.
                if let Err(error) = carried_out {
                    is_try(1, error);
                }
                place.pass(1);
                is_try(2, reckoner.carry_out_jobs().await.expect_err("it fails"));
                refuse_no_more(place.books());
                place.pass(1);
                assert_eq!(reckoner.carry_out_jobs().await.expect("nothing is due"), 0);
                place.pass(1);
                assert_eq!(reckoner.carry_out_jobs().await.expect("carried out"), 1);
            }
            Way::GivenUp => {
                if let Err(error) = carried_out {
                    is_try(8, error);
                }
                refuse_no_more(place.books());
                place.pass(60);
                assert_eq!(reckoner.carry_out_jobs().await.expect("nothing is due"), 0);
            }
        }
    }

    /// What the audit log tells, and how each job stands.
    fn expected(self) -> (Vec<String>, Vec<JobStanding>) {
        let failed = |kind, problem: &str| {
            let failure = JobFailure { kind, field: None, problem: problem.to_owned() };
            (format!("failed: {problem}"), JobStanding::Failed(failure))
        };
        let done = || ("done".to_owned(), JobStanding::Succeeded);
        let overtaken = "billing account `North`: somebody else changed it first; read it again";
        let given_up = "was given up after 8 tries that failed on our side; the log has it under \
                        request id request; ask anew";
        let ends = match self {
            Way::Overtaken => vec![done(), failed(FailureKind::Conflict, overtaken)],
            Way::Postponed => vec![done()],
            Way::GivenUp => vec![failed(FailureKind::Internal, given_up)],
        };
        ends.into_iter().unzip()
    }
}

/// Numbers and outcomes of the audit log behind a number.
async fn entries(reckoner: &Reckoner, after: u64) -> Vec<(u64, String)> {
    let rows = reckoner.audit(&Caller::Machine, AuditFilter::default(), after, 10_000).await;
    rows.expect("the log").into_iter().map(|row| (row.number, row.entry.outcome)).collect()
}

/// Lives through it, with a program that is cut off behind so many polls and one after it. Answers
/// whether the first came to its end after all.
fn live(place: &Place, way: Way, polls: u64) -> (bool, Left) {
    let (before, entry, jobs, is_whole) = place.process(async |reckoner: Reckoner| {
        let entry = entries(&reckoner, 0).await.last().map_or(0, |(number, _)| *number);
        let before = version(&reckoner).await;
        let jobs = way.ask(place, &reckoner, polls).await;
        let carried_out = within(polls, reckoner.carry_out_jobs()).await;
        (before, entry, jobs, carried_out.is_some())
    });
    let left = place.process(async |reckoner: Reckoner| {
        way.go_on(place, &reckoner).await;
        let mut standings = Vec::new();
        for job in &jobs {
            standings.push(standing(&reckoner, "ada", job).await);
        }
        let outcomes = entries(&reckoner, entry).await;
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        Left { facts: version(&reckoner).await - before, outcomes, standings }
    });
    (is_whole, left)
}

fn what_does_not_go_well_ends_once_wherever_the_program_is_cut_off(books: Books) {
    let place = Place::new(books, 1);
    place.process(async |reckoner: Reckoner| {
        declare(&reckoner, &declared()).await;
        reckoner.close().await.expect("closed");
    });
    for way in [Way::Overtaken, Way::Postponed, Way::GivenUp] {
        let (outcomes, standings) = way.expected();
        let facts = u64::from(standings.contains(&JobStanding::Succeeded));
        let expected = Left { facts, outcomes, standings };
        for polls in 1.. {
            let (is_whole, left) = live(&place, way, polls);
            assert_eq!(left, expected, "{way:?}, behind {polls} polls");
            if is_whole {
                // Else the test has shown nothing.
                assert!(polls > 1, "{way:?} was never cut off");
                break;
            }
        }
    }
}

#[test]
fn what_does_not_go_well_ends_once_wherever_the_program_is_cut_off_on_sqlite() {
    what_does_not_go_well_ends_once_wherever_the_program_is_cut_off(Books::Sqlite);
}

#[test]
fn what_does_not_go_well_ends_once_wherever_the_program_is_cut_off_on_postgresql() {
    if Books::Postgres.can_be_had("what does not go well ends once") {
        what_does_not_go_well_ends_once_wherever_the_program_is_cut_off(Books::Postgres);
    }
}
