use super::resume::Foothold;
use crate::log::{
    trusted::TrustedKeys,
    witnesses::{Window, WitnessPolicy},
};

/// What the auditor brings, and how deep to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// The keys that the genesis may name (rule S10). Without them nothing shows who signed.
    pub keys: Option<&'a TrustedKeys>,
    /// Checkpoints that were kept elsewhere: by a witness, an auditor, another machine. The head file
    /// beside the store is none.
    pub anchors: &'a [Vec<u8>],
    /// The witnesses whom the auditor believes: a checkpoint beside the log that a quorum of them cosigned within the
    /// [`window`](Self::window) is as good as one from outside. A policy with `quorum none` changes nothing.
    pub witnesses: Option<&'a WitnessPolicy>,
    /// Which cosignatures count. Whoever was shut off from the witnesses could otherwise be shown a log as it was long ago.
    pub window: Window,
    /// How deep to look.
    pub depth: Depth,
    /// Where to go on, if an earlier verification found the log intact up to there; what came before is then not read again but for what
    /// bears on the rest.
    pub since: Option<&'a Foothold>,
    /// Whether the report is to have a [`Foothold`] for a later verification.
    pub leave_foothold: bool,
}

/// How deep to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// At every byte: strict parsing, every signature, every disclosure.
    #[default]
    Signatures,
    /// Only at leaves, chain, tree and one checkpoint for every thousand records. Finds accidents, not
    /// forgers: the verdict is at best that the log cannot be verified so.
    Hashes,
}
