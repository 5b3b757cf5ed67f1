//! Files that the agent's user could write are pointed out, and keys that anybody else could read or write are not opened.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::{PEOPLE, RULES, World, start};
use countersign::clock::ManualClock;
use countersign::ledger::{Exposed, ExposedPart, ExposedTo, Keys, KeysError};
use countersign::store::SqliteStore;

/// A log whose store, head file and keys lie in directories of their own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for name in ["store", "head", "secret"] {
            fs::create_dir(place.at(name)).unwrap();
            place.set(name, 0o700);
        }
        Keys::create(place.at("secret/keys")).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.0.path()).unwrap().join(name)
    }

    fn set(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at(name), Permissions::from_mode(mode)).unwrap();
    }

    fn open(&self) -> World {
        World::open(
            RULES,
            PEOPLE,
            SqliteStore::open_or_create(self.at("store/log.sqlite")).unwrap(),
            Keys::open(self.at("secret/keys")).unwrap(),
            ManualClock::new(start()),
            tempfile::tempdir().unwrap(),
            |opening| opening.with_head_file(self.at("head/log.head")),
        )
    }
}

fn group_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().gid()
}

#[test]
fn hitl_d8_what_others_may_write_is_pointed_out() {
    let place = Place::new();
    place.open().close();
    for (name, what, private) in [
        ("store/log.sqlite", ExposedPart::Store, 0o600),
        ("store", ExposedPart::StoreDirectory, 0o700),
        ("head/log.head", ExposedPart::HeadFile, 0o600),
        ("head", ExposedPart::HeadFileDirectory, 0o700),
        ("secret", ExposedPart::AboveKeys, 0o700),
    ] {
        let world = place.open();
        assert_eq!(world.countersign.exposed(), [], "before {name}");
        let path = place.at(name);
        let exposed = |to| {
            vec![Exposed {
                path: path.clone(),
                what,
                to,
            }]
        };
        // It is looked at anew, also in a process that has been open for long.
        place.set(name, private | 0o002);
        let found = world.countersign.exposed();
        assert_eq!(found, exposed(ExposedTo::Everybody), "{name}");
        let said = found.first().unwrap().to_string();
        assert!(
            said.starts_with("everybody on this machine may write the"),
            "{said}"
        );
        assert!(said.contains(name), "{said}");
        place.set(name, private | 0o020);
        let found = world.countersign.exposed();
        assert_eq!(found, exposed(ExposedTo::Group(group_of(&path))), "{name}");
        world.close();
        // And at the next opening.
        let world = place.open();
        assert_eq!(world.countersign.exposed(), found, "{name}");
        world.close();
        // Reading is no writing; and in a directory like that of the system for temporary files nobody replaces what is another's.
        place.set(name, private | 0o044);
        let world = place.open();
        assert_eq!(world.countersign.exposed(), [], "{name}");
        if path.is_dir() {
            place.set(name, 0o1777);
            assert_eq!(world.countersign.exposed(), [], "{name}");
        }
        place.set(name, private);
        world.close();
    }
}

#[test]
fn hitl_d8_keys_that_others_may_read_or_write_are_not_opened() {
    let place = Place::new();
    let keys = place.at("secret/keys");
    let refused = |name: &str, modes: &[u32]| {
        let sound = fs::metadata(place.at(name)).unwrap().mode() & 0o777;
        for extra in modes {
            place.set(name, sound | extra);
            let refused = Keys::open(&keys).unwrap_err();
            assert!(
                matches!(&refused, KeysError::Mode { path, .. } if *path == place.at(name)),
                "{name} {extra:o}: {refused}"
            );
        }
        place.set(name, sound);
        Keys::open(&keys).unwrap();
    };
    refused("secret/keys", &[0o002, 0o020]);
    for role in ["gate", "desk", "checkpoint", "operator"] {
        let name = format!("secret/keys/{role}.key");
        refused(&name, &[0o001, 0o002, 0o004, 0o010, 0o020, 0o040]);
    }
}
