//! The keys under which hidden values are kept, apart from the store, so that a value can be erased from every copy of it.
//!
//! A store keeps the disclosures of a log sealed, each under a key of its own. All these keys follow from one secret, in a small file
//! beside the signing keys, in such a way that single ones can be taken out for ever. So an erasure reaches backups of the store as
//! well, and nothing is written to the file between two erasures.

mod file;
mod reader;
mod tree;

pub use self::{
    file::{ValueKeys, ValueKeysError},
    reader::Unsealed,
    tree::NotOpened,
};

pub(crate) use self::file::{Erasing, Pending, path_in};
