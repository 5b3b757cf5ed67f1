//! Signs a large batch on all cores.
//!
//! The threads stay: to start one takes as long as a signature. Whoever is free takes the next record, so that the writer never
//! waits for a thread that has not got a core, but at most for the signature that it has begun.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use crate::log::{BatchError, Chained, KeyId, Signature, Signer, sign_record};

use super::threads;

/// From how many records on others are asked to help.
const WORTH_HELP: usize = 8;

/// The most threads that help; beyond them the writer's own work is what takes the time.
const MOST: usize = 7;

pub(super) type Signatures = Vec<(KeyId, Signature)>;

/// The threads that help the writer, started when there is first something to help with.
#[derive(Default)]
pub(super) struct Crew {
    board: Arc<Board>,
    threads: Mutex<Option<Vec<JoinHandle<()>>>>,
}

/// Where the threads find what is to be signed.
#[derive(Default)]
struct Board {
    notice: Mutex<Notice>,
    changed: Condvar,
}

#[derive(Default)]
struct Notice {
    task: Option<Arc<Task>>,
    closed: bool,
}

/// A batch that is being signed.
struct Task {
    batch: RwLock<Vec<Chained>>,
    many: usize,
    signers: Vec<Arc<dyn Signer>>,
    /// The next record that nobody has taken.
    next: AtomicUsize,
    signed: Mutex<Signed>,
    whole: Condvar,
}

struct Signed {
    signatures: Vec<Option<(KeyId, Signature)>>,
    left: usize,
    fault: Option<BatchError>,
}

impl Crew {
    /// One signature for each record of the batch, which is given back; each by the key that it names.
    pub(super) fn sign(
        &self,
        batch: Vec<Chained>,
        signers: Vec<Arc<dyn Signer>>,
    ) -> Result<(Vec<Chained>, Signatures), BatchError> {
        if batch.len() < WORTH_HELP || !self.staffed() {
            let mut message = Vec::new();
            let one = |record| sign_record(record, &signers, &mut message);
            let signatures = batch.iter().map(one).collect::<Result<_, _>>();
            return Ok((batch, signatures?));
        }
        let task = Arc::new(Task::new(batch, signers));
        self.board.lock().task = Some(Arc::clone(&task));
        self.board.changed.notify_all();
        task.work();
        let signatures = task.finished();
        self.board.lock().task = None;
        let mut batch = task.batch.write().unwrap_or_else(PoisonError::into_inner);
        Ok((std::mem::take(&mut *batch), signatures?))
    }

    /// Ends the threads.
    pub(super) fn close(&self) {
        let threads = {
            let mut threads = lock(&self.threads);
            self.board.lock().closed = true;
            threads.take()
        };
        self.board.changed.notify_all();
        for thread in threads.into_iter().flatten() {
            if thread.join().is_err() {
                tracing::error!("a thread that signs has panicked");
            }
        }
    }

    /// Whether anybody can help; the threads are started by the first question.
    fn staffed(&self) -> bool {
        let mut threads = lock(&self.threads);
        if self.board.lock().closed {
            return false;
        }
        let threads = threads.get_or_insert_with(|| {
            let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
            let helpers = (cores - 1).min(MOST);
            // Where the system has no thread to give, the writer signs alone.
            (0..helpers)
                .map_while(|_| self.board.start().ok())
                .collect()
        });
        !threads.is_empty()
    }
}

impl Board {
    fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let board = Arc::clone(self);
        thread::Builder::new()
            .name("countersign-sign".to_owned())
            .spawn(move || {
                threads::mark_as_ours();
                while let Some(task) = board.wait() {
                    task.work();
                }
            })
    }

    /// The next task that needs help; `None` at the end.
    fn wait(&self) -> Option<Arc<Task>> {
        let nothing = |notice: &mut Notice| {
            !notice.closed && notice.task.as_ref().is_none_or(|task| task.is_taken())
        };
        let notice = self.changed.wait_while(self.lock(), nothing);
        let notice = notice.unwrap_or_else(PoisonError::into_inner);
        notice.task.clone().filter(|_| !notice.closed)
    }

    fn lock(&self) -> MutexGuard<'_, Notice> {
        lock(&self.notice)
    }
}

impl Task {
    fn new(batch: Vec<Chained>, signers: Vec<Arc<dyn Signer>>) -> Self {
        let many = batch.len();
        Self {
            batch: RwLock::new(batch),
            many,
            signers,
            next: AtomicUsize::new(0),
            signed: Mutex::new(Signed {
                signatures: vec![None; many],
                left: many,
                fault: None,
            }),
            whole: Condvar::new(),
        }
    }

    /// Whether somebody is at every record of it.
    fn is_taken(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.many
    }

    /// Signs what nobody has taken.
    fn work(&self) {
        let mut message = Vec::new();
        loop {
            let batch = self.batch.read().unwrap_or_else(PoisonError::into_inner);
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(record) = batch.get(at) else {
                return;
            };
            let signed = threads::shielded("a signer", || {
                sign_record(record, &self.signers, &mut message)
            });
            self.note(at, signed.unwrap_or(Err(BatchError::Panicked)));
        }
    }

    fn note(&self, at: usize, signature: Result<(KeyId, Signature), BatchError>) {
        let mut signed = lock(&self.signed);
        signed.left -= 1;
        match (signature, signed.signatures.get_mut(at)) {
            (Ok(signature), Some(place)) => *place = Some(signature),
            (Ok(_), None) => {}
            (Err(fault), _) => signed.fault = Some(fault),
        }
        if signed.left == 0 {
            self.whole.notify_all();
        }
    }

    /// Waits for the signatures that others have begun.
    fn finished(&self) -> Result<Signatures, BatchError> {
        let open = |signed: &mut Signed| signed.left > 0;
        let signed = self.whole.wait_while(lock(&self.signed), open);
        let mut signed = signed.unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = signed.fault.take() {
            return Err(fault);
        }
        let signatures = std::mem::take(&mut signed.signatures).into_iter();
        let signatures: Option<Signatures> = signatures.collect();
        signatures.ok_or(BatchError::Panicked)
    }
}

/// What these locks hold is whole after each step, whatever panicked beside it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::canonical::Digest;
    use crate::clock::Timestamp;
    use crate::log::{PublicKey, SecretKey, Seq, SignError, sign_batch};

    /// Signs with a key, until it is told to fail or to panic.
    #[derive(Debug)]
    struct Moody {
        key: SecretKey,
        fails: AtomicBool,
        panics: AtomicBool,
    }

    impl Signer for Moody {
        fn public(&self) -> &PublicKey {
            self.key.public()
        }

        fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
            // One of many, and not the first.
            let hit = message.ends_with(b"17");
            assert!(
                !(hit && self.panics.load(Ordering::Relaxed)),
                "out of order"
            );
            if hit && self.fails.load(Ordering::Relaxed) {
                return Err(SignError::new("the key is locked"));
            }
            self.key.sign(message)
        }
    }

    fn moody(seed: u8) -> Arc<Moody> {
        Arc::new(Moody {
            key: SecretKey::from_seed(&[seed; 32]),
            fails: AtomicBool::new(false),
            panics: AtomicBool::new(false),
        })
    }

    fn batch(many: u64, keys: &[&Arc<Moody>]) -> Vec<Chained> {
        let key = |n: u64| keys[usize::try_from(n).unwrap() % keys.len()];
        let chained = |n| Chained {
            seq: Seq::new(n),
            ts: Timestamp::from_unix_micros(0).unwrap(),
            prev: Digest::from_bytes([0; 32]),
            key: key(n).public().id(),
            statement: format!("statement {n}").into_bytes(),
            leaf: Digest::from_bytes([0; 32]),
            subtrees: Vec::new(),
        };
        (0..many).map(chained).collect()
    }

    #[test]
    fn many_hands_sign_as_one_does() {
        let (one, two) = (moody(1), moody(2));
        let signers: [Arc<dyn Signer>; 2] = [one.clone(), two.clone()];
        let crew = Crew::default();
        for many in [0, 1, 7, 8, 9, 31, 32, 500] {
            let records = batch(many, &[&one, &two]);
            let alone = sign_batch(&records, &[&one, &two]).unwrap();
            let (back, together) = crew.sign(records.clone(), signers.to_vec()).unwrap();
            assert_eq!(back, records);
            assert_eq!(together, alone);
        }
        crew.close();
    }

    #[test]
    fn a_key_that_fails_fails_the_batch_and_not_the_next() {
        let (one, two) = (moody(1), moody(2));
        let crew = Crew::default();
        for _ in 0..50 {
            let records = batch(32, &[&one]);
            let sign = || crew.sign(records.clone(), vec![one.clone()]);
            one.fails.store(true, Ordering::Relaxed);
            assert!(matches!(sign(), Err(BatchError::Sign(_))));
            one.fails.store(false, Ordering::Relaxed);
            one.panics.store(true, Ordering::Relaxed);
            assert!(matches!(sign(), Err(BatchError::Panicked)));
            one.panics.store(false, Ordering::Relaxed);
            assert_eq!(sign().unwrap().1.len(), 32);
            let without = crew.sign(records.clone(), vec![two.clone()]);
            assert!(matches!(without, Err(BatchError::NoSuchKey)));
        }
        crew.close();
    }

    #[test]
    fn after_the_close_the_writer_signs_alone() {
        let one = moody(1);
        let crew = Crew::default();
        let sign = || crew.sign(batch(32, &[&one]), vec![one.clone()]).unwrap().1;
        let before = sign();
        crew.close();
        assert_eq!(sign(), before);
        crew.close();
    }
}
