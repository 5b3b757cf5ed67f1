use proptest::prelude::*;

use super::key;
use crate::log::{Envelope, EnvelopeError, PAYLOAD_TYPE, Signer, base64, pae};

fn envelope(seeds: &[u8]) -> Envelope {
    let payload = br#"{"a":1}"#.to_vec();
    let message = pae(PAYLOAD_TYPE, &payload);
    let signatures = seeds
        .iter()
        .map(|seed| (key(*seed).public().id(), key(*seed).sign(&message).unwrap()))
        .collect();
    Envelope {
        payload,
        signatures,
    }
}

#[test]
fn what_is_signed_is_the_pre_authentication_encoding() {
    // The example of the DSSE protocol description.
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(PAYLOAD_TYPE.len(), 28);
    assert_ne!(pae("a", b"b 1 c"), pae("a b", b"c"));
}

proptest! {
    #[test]
    fn the_canonical_form_alone_is_read_as_canonical(
        seeds in prop::collection::vec(0..20_u8, 1..9),
        payload in prop::collection::vec(any::<u8>(), 0..9),
        at in any::<prop::sample::Index>(),
        other in prop::sample::select(&b"\"\\{}[],:=+/AQgw019af \n\x80"[..]),
        change in 0..4_u8,
    ) {
        let envelope = Envelope { payload, ..envelope(&seeds) };
        let mut json = envelope.to_json();
        prop_assert_eq!(Envelope::read_canonical(&json), Some(envelope));
        let at = at.index(json.len());
        match change {
            0 => json[at] = other,
            1 => json.insert(at, other),
            2 => drop(json.remove(at)),
            _ => json.swap(at, at.saturating_sub(1)),
        }
        let strict = Envelope::parse(&json).ok().filter(|read| read.to_json() == json);
        prop_assert_eq!(Envelope::read_canonical(&json), strict);
    }
}

#[test]
fn an_envelope_is_read_as_it_is_written_and_in_no_other_form() {
    let envelope = envelope(&[1, 2]);
    let json = String::from_utf8(envelope.to_json()).unwrap();
    assert!(json.starts_with(
        r#"{"payload":"eyJhIjoxfQ==","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":""#
    ));
    assert_eq!(Envelope::parse(json.as_bytes()).as_ref(), Ok(&envelope));
    let id = key(1).public().id().to_string();
    let sig = base64::encode(envelope.signatures[0].1.as_bytes());
    let cases = [
        (
            json.replace("eyJhIjoxfQ==", "eyJhIjoxfQ"),
            EnvelopeError::Base64,
        ),
        (
            json.replace("eyJhIjoxfQ==", "eyJhIjoxfR=="),
            EnvelopeError::Base64,
        ),
        (json.replace("in-toto", "other"), EnvelopeError::OtherType),
        (json.replace(&id, ""), EnvelopeError::KeyId),
        (json.replace(&id, &id.to_uppercase()), EnvelopeError::KeyId),
        (json.replace(&sig, &sig[4..]), EnvelopeError::Base64),
        (
            json.replace(r#""sig""#, r#""x":1,"sig""#),
            EnvelopeError::Members,
        ),
        (
            json.replace(r#"{"payload""#, r#"{"x":1,"payload""#),
            EnvelopeError::Members,
        ),
        (
            json.replace("payloadType", "payloadtype"),
            EnvelopeError::Members,
        ),
        ("[]".to_owned(), EnvelopeError::Members),
    ];
    for (wrong, why) in cases {
        assert_ne!(wrong, json);
        assert_eq!(Envelope::parse(wrong.as_bytes()), Err(why), "{wrong}");
    }
    let twice = json.replace(r#"{"payload""#, r#"{"payload":"","payload""#);
    assert!(matches!(
        Envelope::parse(twice.as_bytes()),
        Err(EnvelopeError::Json(_))
    ));
    for seeds in [vec![], (1..10).collect::<Vec<u8>>()] {
        let json = self::envelope(&seeds).to_json();
        assert_eq!(Envelope::parse(&json), Err(EnvelopeError::SignatureCount));
    }
}

#[test]
fn signers_are_counted_by_key_and_one_forgery_spoils_the_envelope() {
    let known = [key(1).public().clone(), key(2).public().clone()];
    let signed = |envelope: &Envelope| envelope.verify(&known).map(|keys| keys.len());
    assert_eq!(signed(&envelope(&[1, 2])), Ok(2));
    assert_eq!(signed(&envelope(&[1, 1, 1])), Ok(1));
    assert_eq!(signed(&envelope(&[3, 1])), Ok(1));
    assert_eq!(signed(&envelope(&[3])), Ok(0));
    let mut forged = envelope(&[1, 2]);
    forged.signatures[1].0 = key(1).public().id();
    assert_eq!(signed(&forged), Err(EnvelopeError::BadSignature));
    let mut changed = envelope(&[1]);
    changed.payload[5] = b'2';
    assert_eq!(signed(&changed), Err(EnvelopeError::BadSignature));
}
