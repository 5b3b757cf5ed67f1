use crate::log::trusted::TrustedKeys;

/// What the auditor brings, and how deep to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// The keys that the genesis may name (rule S10). Without them nothing shows who signed.
    pub keys: Option<&'a TrustedKeys>,
    /// Checkpoints that were kept elsewhere: by a witness, an auditor, another machine. The head file
    /// beside the store is none.
    pub anchors: &'a [Vec<u8>],
    /// How deep to look.
    pub depth: Depth,
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
