//! The two files for people and other tools: the keys as the log itself names them, and the policy.

use crate::{
    export::named::NamedKeys,
    log::{Origin, Role, Seq, VerifierKey},
};

/// The keys of a log in the form in which an auditor keeps trusted ones, with the records for which they are in force.
pub(super) fn keys(origin: &Origin, named: &NamedKeys) -> String {
    let mut text = "# A suggestion of the log itself, which proves nothing: a key is trusted once it was compared with what its operator\n# handed over in another way.\n".to_owned();
    for (key, roles, from, until) in named.ring.spans() {
        // The last record for which it is in force.
        let last = until.map(|until| until.get().saturating_sub(1));
        let mut in_force = match (from, last) {
            (Seq::GENESIS, None) => String::new(),
            (from, None) => format!("# in force from record {from} on"),
            (from, Some(last)) => format!("# in force from record {from} to {last}"),
        };
        if let Some(since) = named.compromised.get(&key.id()) {
            in_force.push_str(&format!(
                ", and compromised since {since}: a receipt by it proves nothing"
            ));
        }
        if !in_force.is_empty() {
            in_force.push('\n');
        }
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        let key = VerifierKey::new(origin.key_name().clone(), key.clone());
        text.push_str(&format!("{in_force}{} {key}\n", roles.join(",")));
    }
    text
}

/// A C2SP tlog-policy for a log of that size: its checkpoint keys, and no witness (format rule T8).
pub(super) fn policy(origin: &Origin, named: &NamedKeys, size: u64) -> String {
    let last = Seq::new(size.saturating_sub(1));
    let mut policy = String::new();
    for (key, roles, ..) in named.ring.spans() {
        let id = key.id();
        // One that somebody else has vouches for nothing, unless it had to sign the checkpoint that is published.
        let vouches =
            named.ring.in_force(&id, last).is_some() || !named.compromised.contains_key(&id);
        if vouches && roles.contains(&Role::Checkpoint) {
            let key = VerifierKey::new(origin.key_name().clone(), key.clone());
            policy.push_str(&format!("log {key}\n"));
        }
    }
    policy.push_str("quorum none\n");
    policy
}
