//! `countersign keys init` and `show`

use countersign::Keys;
use countersign::log::Role;

use crate::arguments::{KeysInit, KeysShow};
use crate::ending::{Code, Ended};
use crate::out::Out;

pub fn init(asked: &KeysInit, out: &mut Out) -> Ended {
    let roles = if asked.roles.is_empty() {
        Role::ALL.to_vec()
    } else {
        asked.roles.clone()
    };
    let keys = Keys::create_for(&asked.directory, roles)?;
    print(&keys, out);
    Ok(Code::GOOD)
}

pub fn show(asked: &KeysShow, out: &mut Out) -> Ended {
    print(&Keys::open(&asked.directory)?, out);
    Ok(Code::GOOD)
}

/// The public keys as a file of trusted keys, with their ids in comments.
fn print(keys: &Keys, out: &mut Out) {
    out.line("# Public keys. Give these lines to whoever verifies the log, by a way that does not lead through the log.");
    let trusted = keys.trusted();
    for ((key, _), line) in trusted.iter().zip(trusted.to_string().lines()) {
        out.line(&format!("# {}", key.key().id()));
        out.line(line);
    }
}
