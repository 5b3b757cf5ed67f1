//! What must hold of whatever a process left behind, wherever it was cut off.

use std::sync::Arc;
use std::time::Duration;

use countersign::action::RequestId;
use countersign::clock::{ManualClock, Timestamp};
use countersign::desk::{Page, VoteRefused, Voted};
use countersign::gate::{ApprovalGate, RunError, Standing};
use countersign::ledger::Keys;
use countersign::log::Kind;
use countersign::store::Store;
use futures::executor::block_on;

use super::{PEOPLE, RULES, World, log};

/// An effect whose occurrences can be counted, also those of a process that is gone.
pub trait Effect: Sync {
    fn happen(&self);
    fn happened(&self) -> usize;
}

/// Why an approved request did not run.
#[derive(Debug)]
pub enum NotRun {
    Refused,
    Afterwards,
}

/// Runs a request as its actor would; inside the effect its start must stand in the log, once.
pub async fn run(
    world: &World,
    disk: &dyn Store,
    request: RequestId,
    effect: &dyn Effect,
) -> Result<(), NotRun> {
    let permit = world
        .gate()
        .resume(request)
        .await
        .map_err(|_refusal| NotRun::Refused)?;
    let ran = permit.run(async |_| {
        assert_eq!(
            log::count(disk, request, Kind::Started),
            1,
            "an effect runs whose start is not in the log"
        );
        effect.happen();
        Ok::<(), String>(())
    });
    match ran.await {
        Ok(_) => Ok(()),
        Err(RunError::Refused(_)) => Err(NotRun::Refused),
        Err(_) => Err(NotRun::Afterwards),
    }
}

pub async fn vote(world: &World, request: RequestId) -> Result<Voted, VoteRefused> {
    let by = world
        .admit("corp", "rita")
        .await
        .map_err(|_| VoteRefused::NotActive)?;
    let review = world.desk.open(&by, request).await?;
    world.desk.vote(&by, review.approve()).await
}

/// Another process opens what is left a minute later: what ran is recorded, never runs again, and is listed if nobody knows how it
/// ended; what did not run still may, once.
pub fn inspect(disk: &Arc<dyn Store>, keys: Keys, at: Timestamp, effect: &dyn Effect, story: &str) {
    let trusted = keys.trusted();
    let mut due = effect.happened();
    let clock = ManualClock::new(at.saturating_add(Duration::from_secs(60)));
    let folder = tempfile::tempdir().unwrap();
    let opening = World::begin(
        RULES,
        PEOPLE,
        Arc::clone(disk),
        keys,
        clock,
        folder,
        |opening| opening,
    );
    let world = match block_on(opening) {
        Ok(world) => world,
        Err(error) => panic!("{story}: it does not open again: {error}"),
    };
    // The keeper has looked for what the dead process left.
    world.clock.settled(1);
    let requests: Vec<RequestId> = log::kinds(disk)
        .into_iter()
        .filter_map(|(kind, request)| (kind == Kind::Requested).then_some(request).flatten())
        .collect();
    let started: usize = requests
        .iter()
        .map(|request| log::count(disk, *request, Kind::Started))
        .sum();
    assert!(due <= started, "{story}: an effect without a start");
    for request in &requests {
        let started = log::count(disk, *request, Kind::Started);
        assert!(started <= 1, "{story}: started {started} times");
        let open = block_on(world.gate().open_requests()).unwrap();
        let standing = open
            .into_iter()
            .find(|one| one.request == *request)
            .map(|one| one.standing);
        let rita = world.approver("rita");
        let listed = block_on(world.desk.unknown(&rita, Page::default()))
            .unwrap()
            .iter()
            .any(|one| one.request == *request);
        let may_run = match standing {
            Some(Standing::Pending { .. }) => {
                assert_eq!((started, listed), (0, false), "{story}");
                let _voted = block_on(vote(&world, *request)).unwrap();
                true
            }
            Some(Standing::Approved { .. }) => {
                assert_eq!((started, listed), (0, false), "{story}");
                true
            }
            Some(Standing::Unresolved) => {
                assert_eq!((started, listed), (1, true), "{story}: not listed");
                false
            }
            None => {
                assert!(!listed, "{story}");
                false
            }
            other => panic!("{story}: left as {other:?}"),
        };
        due += usize::from(may_run);
        let again = block_on(run(&world, disk, *request, effect));
        assert_eq!(again.is_ok(), may_run, "{story}: {again:?}");
        let third = block_on(run(&world, disk, *request, effect));
        assert!(third.is_err(), "{story}: the approval was used twice");
    }
    assert_eq!(effect.happened(), due, "{story}");
    world.close();
    log::assert_sound(disk, &trusted);
}
