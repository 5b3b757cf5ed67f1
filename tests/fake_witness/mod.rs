//! A witness as C2SP tlog-witness describes it, in memory: it keeps one size and root for each origin, and nothing else.

#![allow(
    dead_code,
    unused_imports,
    reason = "each file of tests uses a part of it"
)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64ct::{Base64, Encoding as _};
use countersign::{
    canonical::Digest,
    clock::Timestamp,
    log::{
        Checkpoint, ConsistencyProof, Cosignature, KeyName, Note, Origin, PublicKey, SecretKey,
        Signer, WitnessKey,
    },
    witness::{Call, Request, Response, Transport, TransportError},
};

/// What a witness that is not honest does instead of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// Is not reached.
    Away,
    /// Never answers.
    Silent,
    /// Answers so.
    Says(u16, Vec<u8>),
    /// Answers so, but never when it is asked for the checkpoint that it holds.
    Withholds(u16, Vec<u8>),
    /// Cosigns, but adds this to the time, in seconds.
    Ahead(u64),
    /// Cosigns another text.
    Mumbles,
    /// Cosigns with another key under its name.
    Lends,
}

#[derive(Debug)]
pub struct FakeWitness {
    secret: SecretKey,
    pub key: WitnessKey,
    pub now: Timestamp,
    known: Vec<(Origin, PublicKey)>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    latest: BTreeMap<String, Latest>,
    mood: Mood,
    /// What was asked, method and first line.
    asked: Vec<String>,
    shows: bool,
}

#[derive(Clone, Debug)]
struct Latest {
    size: u64,
    root: Digest,
    note: Vec<u8>,
}

impl FakeWitness {
    pub fn new(number: u8, known: &[(Origin, PublicKey)]) -> Arc<Self> {
        let secret = SecretKey::from_seed(&[150 + number; 32]);
        let name = KeyName::new(format!("witness.example/{number}")).unwrap();
        Arc::new(Self {
            key: WitnessKey::new(name, secret.public().clone()),
            secret,
            now: Timestamp::parse("2026-03-01T12:00:00.000000Z").unwrap(),
            known: known.to_vec(),
            state: Mutex::new(State {
                latest: BTreeMap::new(),
                mood: Mood::Honest,
                asked: Vec::new(),
                shows: true,
            }),
        })
    }

    pub fn feels(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// From now on it serves no checkpoints to monitors.
    pub fn hides(&self) {
        self.state.lock().unwrap().shows = false;
    }

    /// It loses what it knew.
    pub fn forgets(&self) {
        self.state.lock().unwrap().latest.clear();
    }

    pub fn holds(&self, origin: &Origin) -> u64 {
        let state = self.state.lock().unwrap();
        state.latest.get(origin.as_str()).map_or(0, |one| one.size)
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// The line of it in a policy, with this address.
    pub fn line(&self, name: &str, url: &str) -> String {
        format!("witness {name} {} {url}\n", self.key)
    }

    pub fn answer(&self, path: &str, call: &Call) -> Response {
        let mut state = self.state.lock().unwrap();
        let (method, body) = match call {
            Call::Get => ("GET", &[][..]),
            Call::Post(body) => ("POST", &body[..]),
        };
        let text = String::from_utf8(body.to_vec()).unwrap();
        let first = text.lines().next().unwrap_or_default();
        state
            .asked
            .push(format!("{method} {path} {first}").trim_end().to_owned());
        if let Mood::Says(status, body) | Mood::Withholds(status, body) = &state.mood {
            let (status, body) = (*status, body.clone());
            return Response { status, body };
        }
        let (status, body) = match path {
            "/add-checkpoint" => self.add_checkpoint(&mut state, &text),
            path => Self::monitor(&state, path),
        };
        Response { status, body }
    }

    fn monitor(state: &State, path: &str) -> (u16, Vec<u8>) {
        let found = state.latest.iter().find(|(origin, _)| {
            path == format!("/{}/checkpoint", Digest::sha256(origin.as_bytes()))
        });
        match found {
            Some((_, latest)) if state.shows => (200, latest.note.clone()),
            _ => (404, Vec::new()),
        }
    }

    fn add_checkpoint(&self, state: &mut State, body: &str) -> (u16, Vec<u8>) {
        let nothing = Vec::new;
        let Some((head, note)) = body.split_once("\n\n") else {
            return (400, nothing());
        };
        let mut lines = head.lines();
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let Some(old) = old.and_then(|old| old.parse::<u64>().ok()) else {
            return (400, nothing());
        };
        let path: Vec<Digest> = lines
            .map(|line| Digest::from_bytes(Base64::decode_vec(line).unwrap().try_into().unwrap()))
            .collect();
        let parsed = Note::parse(note.as_bytes()).unwrap();
        let text = parsed.unverified_text();
        let origin = text.lines().next().unwrap();
        let keys: Vec<_> = self
            .known
            .iter()
            .filter(|(one, _)| one.as_str() == origin)
            .collect();
        let Some((known, _)) = keys.first() else {
            return (404, nothing());
        };
        let keys = keys.iter().map(|(_, key)| key);
        let Ok((checkpoint, _)) = Checkpoint::verify(note.as_bytes(), known, keys) else {
            return (403, nothing());
        };
        let latest = state.latest.get(origin).cloned();
        let holds = latest.as_ref().map_or(0, |latest| latest.size);
        if old > checkpoint.size {
            return (400, nothing());
        }
        if old != holds {
            return (409, format!("{holds}\n").into_bytes());
        }
        let proof = ConsistencyProof {
            old,
            new: checkpoint.size,
            path,
        };
        let consistent = match &latest {
            None => proof.path.is_empty(),
            Some(latest) => proof.verify(&latest.root, &checkpoint.root).is_ok(),
        };
        if !consistent {
            return (422, nothing());
        }
        let mut at = self.now;
        let mut secret = SecretKey::from_seed(&self.secret.to_seed());
        let mut cosigned = text.to_owned();
        match &state.mood {
            Mood::Ahead(seconds) => {
                at = at.saturating_add(std::time::Duration::from_secs(*seconds));
            }
            Mood::Mumbles => cosigned.push_str("and more\n"),
            Mood::Lends => secret = SecretKey::from_seed(&[9; 32]),
            _ => {}
        }
        let line = Cosignature::sign(&cosigned, at, &secret)
            .unwrap()
            .line(&self.key);
        let latest = Latest {
            size: checkpoint.size,
            root: checkpoint.root,
            note: parsed.with_signature(&line).unwrap().to_bytes(),
        };
        state.latest.insert(origin.to_owned(), latest);
        // Others may cosign in the same answer.
        (
            200,
            format!("{line}\n\u{2014} other.example AAAAAAAA\n").into_bytes(),
        )
    }
}

/// Reaches witnesses by address: `https://<number>.example`.
#[derive(Debug, Default)]
pub struct Wire(pub Vec<Arc<FakeWitness>>);

#[async_trait::async_trait]
impl Transport for Wire {
    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let Request { url, call } = request;
        let rest = url.strip_prefix("https://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let number: usize = host.strip_suffix(".example").unwrap().parse().unwrap();
        let witness = &self.0[number];
        let mood = witness.state.lock().unwrap().mood.clone();
        match mood {
            Mood::Away => Err(TransportError::new("nobody is there")),
            Mood::Silent => std::future::pending().await,
            Mood::Withholds(..) if call == Call::Get => std::future::pending().await,
            _ => Ok(witness.answer(path, &call)),
        }
    }
}

/// The policy in which all of these have to cosign, each at its address on a [`Wire`].
pub fn all_of(witnesses: &[Arc<FakeWitness>]) -> String {
    let mut text = String::new();
    let mut names = String::new();
    for (number, witness) in witnesses.iter().enumerate() {
        text.push_str(&witness.line(&format!("w{number}"), &format!("https://{number}.example/")));
        names.push_str(&format!(" w{number}"));
    }
    format!("{text}group all all{names}\nquorum all\n")
}
