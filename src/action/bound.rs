use std::{
    convert::Infallible,
    fmt, slice,
    sync::{Arc, OnceLock},
};

use thiserror::Error;

use super::{
    chain::ActorChain,
    description::Action,
    disclosure::Disclosure,
    id::RequestId,
    names::SessionId,
    pseudonym::Pseudonym,
    salt::{NoEntropy, SaltSource},
    sealer::Sealer,
    sheet::Canonical,
    stamped::Stamped,
    walk::{Ink, walk},
};
use crate::canonical::{Admission, Digest, Json, NotADigest, admit, write_string};

/// What the gate adds to an action: which request it is, who acts and in which session.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The request.
    pub request: RequestId,
    /// Who acts, for whom.
    pub chain: &'a ActorChain,
    /// The session of the host.
    pub session: &'a SessionId,
    /// What the log calls the people of the chain, in the order of [`ActorChain::humans`].
    pub persons: &'a [Pseudonym],
}

/// The bound form of a request: what an approval binds to.
///
/// It holds every member that makes the action what it is, the hidden ones as digests of their
/// disclosures. So its digest can be computed again for ever, also when disclosures were erased.
///
/// It keeps the bytes, and reads them as JSON when somebody first asks for that. Clones share them.
#[derive(Clone)]
pub struct Bound(Arc<Inner>);

struct Inner {
    // INVARIANT: `canonical` is canonical JSON, `digest` is its action digest, and `form` and
    // `stamped` are what it says.
    canonical: Box<[u8]>,
    form: OnceLock<Json>,
    stamped: OnceLock<Option<Stamped>>,
    digest: ActionDigest,
    disclosures: Vec<Disclosure>,
}

impl Bound {
    /// A form that was read from a record, with those of its disclosures that are at hand.
    #[must_use]
    pub fn of_form(form: Json, disclosures: Vec<Disclosure>) -> Self {
        let canonical = form.to_canonical();
        Self::of_parts(
            canonical,
            OnceLock::from(form),
            OnceLock::new(),
            disclosures,
        )
    }

    fn of_parts(
        canonical: Vec<u8>,
        form: OnceLock<Json>,
        stamped: OnceLock<Option<Stamped>>,
        disclosures: Vec<Disclosure>,
    ) -> Self {
        Self(Arc::new(Inner {
            digest: ActionDigest::of_canonical(&canonical),
            canonical: canonical.into_boxed_slice(),
            form,
            stamped,
            disclosures,
        }))
    }

    /// The bound form in canonical bytes, as it stands in the record.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.0.canonical
    }

    /// The bound form.
    #[must_use]
    pub fn form(&self) -> &Json {
        self.0.form.get_or_init(|| {
            // What the walk writes is canonical JSON, so this is never `Null`, which nothing takes
            // for a bound form.
            let limits = Admission::default()
                .with_max_bytes(self.0.canonical.len())
                .with_max_depth(Admission::DEEPEST);
            let form = admit(&self.0.canonical, &limits);
            debug_assert!(form.is_ok());
            form.unwrap_or(Json::Null)
        })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        if let Some(Some(stamped)) = self.0.stamped.get() {
            return Some(stamped.request);
        }
        let text = self.form().as_object()?.get("request")?.as_str()?;
        RequestId::parse(text).ok()
    }

    /// What the gate added to the action, which needs no disclosure; `None` if the form does not say it.
    #[must_use]
    pub fn stamped(&self) -> Option<&Stamped> {
        let read = || Stamped::of_form(self.form());
        self.0.stamped.get_or_init(read).as_ref()
    }

    /// The action digest.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        self.0.digest
    }

    /// The disclosures of the hidden members.
    #[must_use]
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.0.disclosures
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        let Inner {
            canonical,
            // Follow from the bytes.
            form: _,
            stamped: _,
            digest: _,
            disclosures,
        } = &*self.0;
        *canonical == other.0.canonical && *disclosures == other.0.disclosures
    }
}

impl Eq for Bound {}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            canonical,
            form: _,
            stamped: _,
            digest,
            disclosures,
        } = &*self.0;
        f.debug_struct("Bound")
            .field("form", &String::from_utf8_lossy(canonical))
            .field("digest", digest)
            .field("disclosures", disclosures)
            .finish()
    }
}

/// Binds an action to a request: writes its bound form and hides what records do not show.
///
/// # Errors
/// [`BindError`] if there are no salts, or not one pseudonym for each person of the chain.
pub fn bind(
    action: &Action,
    stamp: &Stamp<'_>,
    salts: &mut dyn SaltSource,
) -> Result<Bound, BindError> {
    let Stamp {
        request,
        chain,
        session,
        persons,
    } = *stamp;
    let humans = chain.humans().count();
    if humans != persons.len() {
        return Err(BindError::Persons {
            humans,
            persons: persons.len(),
        });
    }
    let mut ink = Sealing {
        request,
        persons: persons.iter(),
        sealer: Sealer::new(salts),
    };
    let form = walk(action, chain, session, &mut ink)?;
    let stamped = Stamped::of_stamp(stamp);
    Ok(Bound::of_parts(
        form,
        OnceLock::new(),
        OnceLock::from(Some(stamped)),
        ink.sealer.into_disclosures(),
    ))
}

/// The bytes by which equal requests are found while they wait: every bound member with its plain
/// value, without salts and request.
///
/// It is the bound form with the hidden members themselves under `_sd`, in canonical form, and comes
/// from the same walk, so that no member is in one and not in the other. Whoever keeps it keeps
/// hidden values; a ledger keeps an HMAC of it under a secret.
#[must_use]
pub fn join_input(action: &Action, chain: &ActorChain, session: &SessionId) -> Vec<u8> {
    let Ok(form) = walk(action, chain, session, &mut Plain);
    form
}

/// Writes what goes into a record.
struct Sealing<'a, 's> {
    request: RequestId,
    persons: slice::Iter<'a, Pseudonym>,
    sealer: Sealer<'s>,
}

impl Ink for Sealing<'_, '_> {
    type Error = BindError;
    /// The texts of the digests.
    type Cover = Vec<[u8; 43]>;

    fn request(&mut self) -> Option<RequestId> {
        Some(self.request)
    }

    fn person(&mut self) -> Option<Pseudonym> {
        self.persons.next().copied()
    }

    fn hide(
        &mut self,
        cover: &mut Self::Cover,
        name: &str,
        value: &(impl Canonical + ?Sized),
    ) -> Result<(), BindError> {
        let digest = self.sealer.seal(name, |out| value.write_to(out))?;
        cover.push(digest.text());
        Ok(())
    }

    fn covered(mut cover: Self::Cover) -> Option<Vec<u8>> {
        cover.sort_unstable();
        let mut array = Vec::with_capacity(cover.len() * 46 + 1);
        for (index, text) in cover.iter().enumerate() {
            array.push(if index == 0 { b'[' } else { b',' });
            array.push(b'"');
            array.extend_from_slice(text);
            array.push(b'"');
        }
        array.push(b']');
        (!cover.is_empty()).then_some(array)
    }
}

/// Writes what equal requests have in common.
struct Plain;

impl Ink for Plain {
    type Error = Infallible;
    /// The members, each after `{` or `,`.
    type Cover = Vec<u8>;

    fn request(&mut self) -> Option<RequestId> {
        None
    }

    fn person(&mut self) -> Option<Pseudonym> {
        None
    }

    fn hide(
        &mut self,
        cover: &mut Vec<u8>,
        name: &str,
        value: &(impl Canonical + ?Sized),
    ) -> Result<(), Infallible> {
        cover.push(if cover.is_empty() { b'{' } else { b',' });
        write_string(cover, name);
        cover.push(b':');
        value.write_to(cover);
        Ok(())
    }

    fn covered(mut cover: Vec<u8>) -> Option<Vec<u8>> {
        if cover.is_empty() {
            return None;
        }
        cover.push(b'}');
        Some(cover)
    }
}

/// The digest that an approval binds to: SHA-256 over the canonical bound form, domain
/// `countersign/action/v1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionDigest(Digest);

/// The action digest of a bound form.
#[must_use]
pub fn action_digest(form: &Json) -> ActionDigest {
    ActionDigest::of_canonical(&form.to_canonical())
}

impl ActionDigest {
    fn of_canonical(form: &[u8]) -> Self {
        Self(Digest::of("countersign/action/v1", form))
    }

    /// Takes a digest, such as one that stands in a record, for that of an action.
    #[must_use]
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The bare digest.
    #[must_use]
    pub const fn as_digest(&self) -> &Digest {
        &self.0
    }

    /// Reads exactly 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`NotADigest`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        Digest::parse_hex(text).map(Self)
    }

    /// The first six digits, for people to read and type; never compared instead of the digest.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for ActionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ActionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// An action could not be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BindError {
    /// There is no salt to hide values with.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// Not one pseudonym for each person of the chain.
    #[error(
        "the chain holds {humans} people, but {persons} pseudonyms were given; give one for each"
    )]
    Persons {
        /// How many people the chain holds.
        humans: usize,
        /// How many pseudonyms there are.
        persons: usize,
    },
}
