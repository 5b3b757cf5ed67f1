use std::collections::BTreeSet;
use std::thread;

use futures::executor::block_on;

use crate::log::Seq;

use super::super::{Query, Step, Store};
use super::author::{Draft, begin, limit, scope};
use super::{Nonconformity, must};

/// How many threads race.
const THREADS: usize = 4;
/// How many records each appends.
const RECORDS: usize = 25;

/// Lets threads append to one empty store, and checks that what comes out is one line without a gap.
///
/// # Errors
/// The first rule that the store breaks.
pub fn race(store: &dyn Store) -> Result<(), Nonconformity> {
    block_on(begin(store))?;
    let done: Vec<Result<(), Nonconformity>> = thread::scope(|threads| {
        let started: Vec<_> = (0..THREADS)
            .map(|thread| threads.spawn(move || append_from(store, &thread.to_string(), RECORDS)))
            .collect();
        started
            .into_iter()
            .map(|one| {
                one.join()
                    .unwrap_or(Err(Nonconformity::Unusable("a thread panicked")))
            })
            .collect()
    });
    done.into_iter().collect::<Result<(), _>>()?;
    let head = block_on(store.head())?;
    must(
        head.is_some_and(|head| head.size == (1 + THREADS * RECORDS) as u64),
        "every append of every thread is in the log once",
    )?;
    let most = limit(u32::try_from(2 * THREADS * RECORDS).unwrap_or(u32::MAX));
    let records = block_on(store.read(Seq::GENESIS, most))?;
    must(
        (0..).zip(&records).all(|(at, one)| one.seq.get() == at),
        "numbers have no gap",
    )?;
    let counted = block_on(store.find(Query::Versions([scope("turn")].into())))?.versions()?;
    must(
        counted.values().eq([&((THREADS * RECORDS) as u64)]),
        "no move of a scope is lost",
    )
}

/// Appends `records` records to a store that others append to as well, checking that nothing gets between a builder and its
/// commit; for threads and processes that race.
///
/// # Errors
/// The first rule that the store breaks.
pub fn append_from(store: &dyn Store, who: &str, records: usize) -> Result<(), Nonconformity> {
    for number in 0..records {
        let scopes = BTreeSet::from([scope("turn")]);
        let name = format!("{who}: {number}");
        let (say, hear) = std::sync::mpsc::channel();
        let step = Step::new(scopes, move |view| {
            let version = view.versions.values().next().copied().unwrap_or(0);
            let size = view.head.as_ref().map_or(0, |head| head.size);
            // Every record but the genesis moved the scope: both were read in one moment.
            let _ = say.send(version + 1 == size);
            let statement = format!("{name} at {size}");
            Ok(Draft::of(&statement).moving(&["turn"]).build(&view))
        });
        let committed = block_on(store.append(step))?;
        must(
            hear.try_recv() == Ok(true),
            "head and versions are of one moment, and the builder is called once",
        )?;
        // What was committed is there to be read, by whoever asks next.
        let head = block_on(store.head())?;
        must(
            head.is_some_and(|head| head.size >= committed.head.size),
            "a commit is visible once it is answered",
        )?;
    }
    Ok(())
}
