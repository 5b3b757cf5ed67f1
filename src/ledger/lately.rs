//! How often scopes had moved when this process last committed: what a start expects without asking the store.
//!
//! It may be old by now. Nothing rests on it: a commit compares what it expects inside the lock, and who expected too little
//! asks the store and judges again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use crate::store::ScopeKey;

use super::lock;

/// The most scopes that are remembered: those of a few hundred sessions, in some tens of KiB.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<HashMap<ScopeKey, u64>>);

impl Lately {
    /// Takes note of what a commit left.
    pub(super) fn note(&self, versions: BTreeMap<ScopeKey, u64>) {
        let mut known = lock(&self.0);
        if known.len() + versions.len() > MOST {
            known.clear();
        }
        known.extend(versions);
    }

    /// What is known of these scopes, if something is known of each.
    pub(super) fn all(&self, scopes: &BTreeSet<ScopeKey>) -> Option<BTreeMap<ScopeKey, u64>> {
        let known = lock(&self.0);
        scopes
            .iter()
            .map(|scope| Some((scope.clone(), *known.get(scope)?)))
            .collect()
    }
}
