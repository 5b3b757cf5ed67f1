use std::{collections::BTreeSet, io::Write as _};

use thiserror::Error;

use crate::canonical::{Admission, AdmitError, Json, Object, Scan, admit};

use super::{
    base64,
    keys::{KeyId, PublicKey, Signature},
};

/// The payload type of an in-toto statement in a DSSE envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// How many signatures an envelope, and a record, carries at most.
pub(super) const MOST_SIGNATURES: usize = 8;

/// The bytes that are signed: the pre-authentication encoding of DSSE v1.
///
/// `DSSEv1 LEN(type) type LEN(payload) payload`, lengths in decimal, so that no other type and payload
/// have the same bytes.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload_type.len() + payload.len() + 32);
    write_pae(&mut bytes, payload_type, payload);
    bytes
}

/// Appends what [`pae`] returns.
pub(super) fn write_pae(out: &mut Vec<u8>, payload_type: &str, payload: &[u8]) {
    // Writing into a vector does not fail.
    let _ = write!(
        out,
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    out.extend_from_slice(payload);
}

/// A statement and its signatures in the form that other tools read (DSSE v1, JSON).
///
/// A log keeps statement and signatures side by side; this is how they are handed out. Nothing is
/// known yet of what it says to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// Who says to have signed it, in order.
    pub signatures: Vec<(KeyId, Signature)>,
}

impl Envelope {
    /// The envelope as canonical JSON (RFC 8785).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.to_value().to_canonical()
    }

    fn to_value(&self) -> Json {
        let Self {
            payload,
            signatures,
        } = self;
        let signatures: Vec<Json> = signatures
            .iter()
            .map(|(key, signature)| {
                Object::new()
                    .with("keyid", key.to_string())
                    .with("sig", base64::encode(signature.as_bytes()))
                    .into()
            })
            .collect();
        Object::new()
            .with("payload", base64::encode(payload))
            .with("payloadType", PAYLOAD_TYPE)
            .with("signatures", signatures)
            .into()
    }

    /// Reads an envelope, which may have white space and any order of members but nothing unknown.
    ///
    /// # Errors
    /// [`EnvelopeError`] for members that are missing, unknown, twice or of another type, base64 that is not
    /// canonical, a key id that is not 64 digits, and not 1 to 8 signatures.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let limits = Admission::default()
            .with_max_bytes(128 << 10)
            .with_max_depth(4);
        Self::from_value(&admit(bytes, &limits)?)
    }

    /// The envelope whose canonical form, as [`Envelope::to_json`] writes it, these bytes are.
    ///
    /// In it every member has its place and no text an escape, so that nothing but base64 and ids is read.
    pub(super) fn read_canonical(bytes: &[u8]) -> Option<Self> {
        let mut scan = Scan::of(bytes)?;
        scan.literal(r#"{"payload":""#)?;
        let payload = base64::decode(scan.until_quote()?)?;
        scan.literal(r#","payloadType":""#)?;
        scan.literal(PAYLOAD_TYPE)?;
        scan.literal(r#"","signatures":"#)?;
        let mut signatures = Vec::new();
        scan.array(|scan| {
            scan.literal(r#"{"keyid":""#)?;
            let key = KeyId::parse(scan.until_quote()?).ok()?;
            scan.literal(r#","sig":""#)?;
            let signature = base64::decode(scan.until_quote()?)?.try_into().ok()?;
            scan.literal("}")?;
            signatures.push((key, Signature::from_bytes(signature)));
            Some(())
        })?;
        scan.literal("}")?;
        let counted = (1..=MOST_SIGNATURES).contains(&signatures.len());
        (scan.is_at_end() && counted).then_some(Self {
            payload,
            signatures,
        })
    }

    fn from_value(json: &Json) -> Result<Self, EnvelopeError> {
        let members = json.as_object().ok_or(EnvelopeError::Members)?;
        let [payload, payload_type, signatures] =
            exactly(members, ["payload", "payloadType", "signatures"])?;
        if payload_type.as_str() != Some(PAYLOAD_TYPE) {
            return Err(EnvelopeError::OtherType);
        }
        let payload = base64_of(payload)?;
        let signatures = signatures.as_array().ok_or(EnvelopeError::Members)?;
        if signatures.is_empty() || signatures.len() > MOST_SIGNATURES {
            return Err(EnvelopeError::SignatureCount);
        }
        let signatures = signatures
            .iter()
            .map(signature)
            .collect::<Result<_, EnvelopeError>>()?;
        Ok(Self {
            payload,
            signatures,
        })
    }

    /// Which of the known keys signed the payload; their number is that of distinct public keys.
    ///
    /// Signatures that name unknown keys are ignored, so the caller asks whether those that are needed
    /// are among the answer.
    ///
    /// # Errors
    /// [`EnvelopeError::BadSignature`] if a signature that names a known key does not verify.
    pub fn verify<'k>(
        &self,
        known: impl IntoIterator<Item = &'k PublicKey>,
    ) -> Result<BTreeSet<KeyId>, EnvelopeError> {
        let known: Vec<_> = known.into_iter().collect();
        let message = pae(PAYLOAD_TYPE, &self.payload);
        let mut signed = BTreeSet::new();
        for (id, signature) in &self.signatures {
            let Some(key) = known.iter().find(|key| key.id() == *id) else {
                continue;
            };
            key.verify(&message, signature)
                .map_err(|_| EnvelopeError::BadSignature)?;
            signed.insert(*id);
        }
        Ok(signed)
    }
}

fn signature(json: &Json) -> Result<(KeyId, Signature), EnvelopeError> {
    let members = json.as_object().ok_or(EnvelopeError::Members)?;
    let [key, signature] = exactly(members, ["keyid", "sig"])?;
    let key = key.as_str().ok_or(EnvelopeError::Members)?;
    let key = KeyId::parse(key).map_err(|_| EnvelopeError::KeyId)?;
    let signature = base64_of(signature)?
        .try_into()
        .map_err(|_| EnvelopeError::Base64)?;
    Ok((key, Signature::from_bytes(signature)))
}

/// The values of these members, if the object has exactly them.
fn exactly<'j, const N: usize>(
    members: &'j Object,
    names: [&str; N],
) -> Result<[&'j Json; N], EnvelopeError> {
    if members.len() != N {
        return Err(EnvelopeError::Members);
    }
    let values: Option<Vec<&Json>> = names.into_iter().map(|name| members.get(name)).collect();
    values
        .and_then(|values| values.try_into().ok())
        .ok_or(EnvelopeError::Members)
}

fn base64_of(json: &Json) -> Result<Vec<u8>, EnvelopeError> {
    json.as_str()
        .and_then(base64::decode)
        .ok_or(EnvelopeError::Base64)
}

/// Why an envelope was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Not JSON as it is admitted here.
    #[error("the envelope is not admitted: {0}")]
    Json(#[from] AdmitError),
    /// Not the members of an envelope.
    #[error(
        "an envelope has exactly the members payload, payloadType and signatures, and a signature keyid and sig"
    )]
    Members,
    /// Another payload type.
    #[error("the envelope holds something other than an in-toto statement")]
    OtherType,
    /// Base64 that is not the canonical text of its bytes, or not 64 bytes of signature.
    #[error("a base64 text of the envelope is not canonical or has the wrong length")]
    Base64,
    /// A key id of another form.
    #[error("a key id of the envelope is not 64 lower-case hexadecimal digits")]
    KeyId,
    /// None or too many.
    #[error("an envelope has 1 to 8 signatures")]
    SignatureCount,
    /// A signature that names a known key is not by it.
    #[error("a signature of the envelope by a known key does not verify")]
    BadSignature,
}
