//! The two files for people and other tools: the keys as the log itself names them, and the policy.

use crate::log::{Genesis, Role, TrustedKeys, VerifierKey};

/// The keys of the genesis in the form in which an auditor keeps trusted ones.
pub(super) fn keys(genesis: &Genesis) -> String {
    let keys = TrustedKeys::of_genesis(genesis);
    format!(
        "# A suggestion of the log itself, which proves nothing: a key is trusted once it was compared with what its operator\n# handed over in another way.\n{keys}"
    )
}

/// A C2SP tlog-policy: the log's checkpoint keys, and no witness.
pub(super) fn policy(genesis: &Genesis) -> String {
    let name = genesis.origin().key_name();
    let mut policy = String::new();
    for (key, roles) in genesis.keys() {
        if roles.contains(&Role::Checkpoint) {
            let key = VerifierKey::new(name.clone(), key.clone());
            policy.push_str(&format!("log {key}\n"));
        }
    }
    policy.push_str("quorum none\n");
    policy
}
