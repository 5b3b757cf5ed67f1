use ed25519_dalek::VerifyingKey;

use super::{key, published, read_json, unhex};
use crate::log::{KeyId, NotAKey, PublicKey, Role, SecretKey, Signature, Signer};

#[test]
fn a_signature_verifies_for_its_message_and_key_alone() {
    let (mine, other) = (key(1), key(2));
    let signature = mine.sign(b"message").unwrap();
    assert!(mine.public().verify(b"message", &signature).is_ok());
    assert!(mine.public().verify(b"massage", &signature).is_err());
    assert!(other.public().verify(b"message", &signature).is_err());
    for bit in 0..512 {
        let mut bytes = *signature.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = Signature::from_bytes(bytes);
        assert!(
            mine.public().verify(b"message", &flipped).is_err(),
            "bit {bit}"
        );
    }
}

#[test]
fn published_signatures_are_judged_as_published() {
    let Some(file) = published("wycheproof_ed25519.json") else {
        return;
    };
    let json = read_json(&file);
    let mut judged = 0;
    for group in json
        .as_object()
        .unwrap()
        .get("testGroups")
        .unwrap()
        .as_array()
        .unwrap()
    {
        let group = group.as_object().unwrap();
        let public = group.get("publicKey").unwrap().as_object().unwrap();
        let public = unhex(public.get("pk").unwrap().as_str().unwrap());
        let public = PublicKey::from_bytes(&public.try_into().unwrap());
        for test in group.get("tests").unwrap().as_array().unwrap() {
            let test = test.as_object().unwrap();
            let text = |name: &str| test.get(name).unwrap().as_str().unwrap();
            let verdict = match (&public, unhex(text("sig")).try_into()) {
                (Ok(public), Ok(signature)) => public
                    .verify(&unhex(text("msg")), &Signature::from_bytes(signature))
                    .is_ok(),
                _ => false,
            };
            assert_eq!(
                verdict,
                text("result") == "valid",
                "test {:?}",
                test.get("tcId")
            );
            judged += 1;
        }
    }
    assert_eq!(judged, 151);
}

#[test]
fn weak_and_second_spellings_of_keys_are_refused() {
    // The neutral point and the point of order 2; with a sign they are second spellings of the same.
    for (lowest, highest) in [(0x01, 0x00), (0x01, 0x80)] {
        let mut bytes = [0; 32];
        bytes[0] = lowest;
        bytes[31] = highest;
        let refused = PublicKey::from_bytes(&bytes).unwrap_err();
        assert!(
            matches!(refused, NotAKey::Weak | NotAKey::NotOnCurve),
            "{refused}"
        );
    }
    let mut order_two = [0xFF; 32];
    order_two[0] = 0xEC;
    order_two[31] = 0x7F;
    assert_eq!(PublicKey::from_bytes(&order_two), Err(NotAKey::Weak));
    // y = p + k is a second spelling of y = k, with and without the sign of x.
    let mut accepted_elsewhere = 0;
    for offset in 0..19_u8 {
        for highest in [0x7F, 0xFF] {
            let mut bytes = [0xFF; 32];
            bytes[0] = 0xED + offset;
            bytes[31] = highest;
            assert_eq!(PublicKey::from_bytes(&bytes), Err(NotAKey::NotCanonical));
            accepted_elsewhere += usize::from(VerifyingKey::from_bytes(&bytes).is_ok());
        }
    }
    assert!(
        accepted_elsewhere > 0,
        "the curve library refuses them itself by now"
    );
    assert_eq!(
        PublicKey::from_bytes(&[2; 32]).err(),
        Some(NotAKey::NotOnCurve)
    );
}

#[test]
fn a_key_is_named_by_the_digest_of_its_bytes() {
    let key = key(1);
    let typed = [&[1], &key.public().as_bytes()[..]].concat();
    let id = crate::canonical::Digest::sha256(&typed).to_hex();
    assert_eq!(key.public().id().to_string(), id);
    assert_eq!(KeyId::parse(&id), Ok(key.public().id()));
    assert!(KeyId::parse(&id[..8]).is_err());
}

#[test]
fn a_secret_key_is_kept_secret_and_comes_back_from_its_seed() {
    let key = SecretKey::generate().unwrap();
    let seed = key.to_seed();
    let again = SecretKey::from_seed(&seed);
    assert_eq!(again.public(), key.public());
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", *seed);
    let shown = format!("{key:?} {key:#?}");
    assert!(!shown.contains(&hex) && !shown.contains(&list));
    assert!(shown.contains(&key.public().id().to_string()));
    assert_ne!(SecretKey::generate().unwrap().public(), key.public());
}

#[test]
fn roles_are_ordered_as_their_texts() {
    let texts = Role::ALL.map(Role::as_str);
    assert!(texts.is_sorted() && Role::ALL.is_sorted());
    assert!(
        Role::ALL
            .iter()
            .all(|role| Role::parse(role.as_str()) == Some(*role))
    );
    assert_eq!(Role::parse("Gate"), None);
}
