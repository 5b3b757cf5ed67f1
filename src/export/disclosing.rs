use std::{fmt, ops::Range};

use super::error::ExportError;
use crate::{
    action::{Disclosed, Disclosure, DisclosureDigest},
    canonical::Digest,
    log::{Broken, Kept, LogReader, Rule, Seq},
};

/// For how many records disclosures are read at once: each record may have a MiB and more of them.
pub(super) const STEP: usize = 16;

/// Which values of hidden members an export hands over.
///
/// Nothing, unless the operator says otherwise: an export may end on a public web server. What is not handed over is named by its
/// digest, so that a verifier can tell it from what was lost.
#[derive(Clone, Copy, Default)]
pub enum Disclosing<'a> {
    /// No value.
    #[default]
    Nothing,
    /// Every value.
    Everything,
    /// The values for which this says yes, told the record and the member.
    Chosen(&'a dyn Fn(Seq, &Disclosed) -> bool),
}

impl Disclosing<'_> {
    /// What becomes of one disclosure.
    fn hand(self, seq: Seq, text: String) -> Result<Filed, ExportError> {
        let broken = || {
            let why = "a disclosure of it is malformed";
            ExportError::Broken(Broken::new(seq, Rule::F9, why))
        };
        if let Ok(Kept::Sealed(sealed)) = Kept::parse(&text) {
            return match self {
                Self::Nothing => Ok(Filed::Withheld(sealed.digest())),
                Self::Everything | Self::Chosen(_) => Err(ExportError::Sealed(seq)),
            };
        }
        if text.is_empty() || !text.bytes().all(is_base64url) {
            return Err(broken());
        }
        let given = match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Chosen(chosen) => {
                let disclosure = Disclosure::parse(&text).map_err(|_| broken())?;
                chosen(seq, &disclosure.open().map_err(|_| broken())?)
            }
        };
        Ok(if given {
            Filed::Given(text)
        } else {
            let digest = Digest::sha256(text.as_bytes());
            Filed::Withheld(DisclosureDigest::from_digest(digest))
        })
    }

    /// The disclosures of a few records, in their order.
    pub(super) fn file(
        self,
        reader: &mut dyn LogReader,
        records: Range<u64>,
        count: &mut Count,
    ) -> Result<Vec<(Seq, Filed)>, ExportError> {
        let mut filed = Vec::new();
        for (seq, text) in reader.disclosures(records.clone())? {
            filed.push((seq, self.hand(seq, text)?));
        }
        // What an export was not given it cannot hand on, and still withholds.
        let withheld = reader.withheld(records)?.into_iter();
        filed.extend(withheld.map(|(seq, digest)| (seq, Filed::Withheld(digest))));
        filed.sort_by_key(|(seq, _)| *seq);
        for (_, one) in &filed {
            match one {
                Filed::Given(_) => count.given += 1,
                Filed::Withheld(_) => count.withheld += 1,
            }
        }
        Ok(filed)
    }
}

impl fmt::Debug for Disclosing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Everything => "Everything",
            Self::Chosen(_) => "Chosen",
        })
    }
}

/// A disclosure as an export files it.
pub(super) enum Filed {
    /// Its text.
    Given(String),
    /// Its digest alone.
    Withheld(DisclosureDigest),
}

/// How many disclosures an export files.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) given: u64,
    pub(super) withheld: u64,
}

pub(super) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
