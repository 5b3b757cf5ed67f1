//! The auditor's command says the same of a log in every form, writes nothing that it was not asked for, and finishes what it began.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64ct::{Base64, Encoding};
use common::{PEOPLE, RULES, World, read, start};
use countersign::action::{Action, RequestId};
use countersign::approval::LegalBasis;
use countersign::canonical::{Admission, Json, admit};
use countersign::clock::{ManualClock, Timestamp};
use countersign::gate::{ApprovalGate, ApprovalGateExt};
use countersign::ledger::{Erase, Keys};
use countersign::log::{Cosignature, KeyName, Note, Role, SecretKey, Signer, WitnessKey};
use countersign::store::{Chore, Query, SqliteStore, Store, Tended};
use futures::executor::block_on;
use tempfile::TempDir;

const COMMAND: &str = env!("CARGO_BIN_EXE_countersign");

/// A text that moves the cursor, turns the line around and begins a new one.
const HOSTILE: &str = "fine\u{1b}[2J\u{202e}evil\nverdict      intact and anchored";

/// What the command said and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    fn first_line(&self) -> &str {
        self.out.lines().next().unwrap_or_default()
    }

    fn json(&self) -> Json {
        admit(self.out.trim_end().as_bytes(), &Admission::default()).unwrap()
    }
}

/// What stands under these names, one in the other.
fn at<'j>(json: &'j Json, names: &[&str]) -> &'j Json {
    names.iter().fold(json, |json, name| {
        json.as_object().unwrap().get(name).unwrap()
    })
}

fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Said {
    let mut command = Command::new(COMMAND);
    command.args(arguments).stdin(Stdio::null());
    Said::of(command.output().unwrap())
}

/// A log of a few records in all three forms, with what an auditor has.
struct Case {
    folder: TempDir,
}

/// Runs the command on files of a case: a word with a `@` before it is the path of that file.
macro_rules! say {
    ($case:expr, $($word:expr),+ $(,)?) => {
        $case.say(&[$(&$word.to_string()),+])
    };
}

const FORMS: [&str; 3] = ["@log.db", "@tiles", "@log.jsonl"];

impl Case {
    fn new() -> Self {
        let case = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let world = case.open();
        runs(&world, read());
        let action = Action::named("pay")
            .parameter("amount", 5)
            .parameter("note", HOSTILE)
            .sensitive("iban", "DE02120300000000202051")
            .because(HOSTILE)
            .build();
        let request = world.file(action.unwrap());
        let voted = block_on(async {
            let by = world.admit("corp", "rita").await.unwrap();
            let review = world.desk.open(&by, request).await?;
            let ballot = review.approve().because(HOSTILE).unwrap();
            world.desk.vote(&by, ballot).await
        });
        let _ = voted.unwrap();
        world.close();
        let keys = say!(case, "keys", "show", "@keys").ends(0).out;
        fs::write(case.path("keys.txt"), keys).unwrap();
        let values = |path: &PathBuf| path.extension().is_some_and(|it| it == "values");
        let mut beside = fs::read_dir(case.path("keys")).unwrap();
        let values = beside.find_map(|it| Some(it.unwrap().path()).filter(values));
        fs::copy(values.unwrap(), case.path("values")).unwrap();
        for (form, place) in [("--tiles", "@tiles"), ("--jsonl", "@log.jsonl")] {
            let _ = say!(case, "export", "@log.db", "--disclose-all", form, place).ends(0);
        }
        fs::copy(case.path("tiles/checkpoint"), case.path("checkpoint")).unwrap();
        case
    }

    fn open(&self) -> World {
        let store = SqliteStore::open_or_create(self.path("log.db")).unwrap();
        let clock = ManualClock::new(start());
        let own = tempfile::tempdir().unwrap();
        let path = self.path("keys");
        let keys = Keys::open(&path).or_else(|_| Keys::create(&path)).unwrap();
        World::open(RULES, PEOPLE, store, keys, clock, own, |opening| opening)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whoever reads the store here has the keys of its values, but in `say_without_values`.
    fn say(&self, words: &[&str]) -> Said {
        let reads = ["verify", "log", "show", "prove", "export"];
        let opens = words.first().is_some_and(|it| reads.contains(it))
            && words.get(1) == Some(&"@log.db")
            && self.path("values").exists();
        match opens {
            true => self.say_without_values(&[words, &["--values", "@values"]].concat()),
            false => self.say_without_values(words),
        }
    }

    fn say_without_values(&self, words: &[&str]) -> Said {
        let words = words.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name).into_os_string(),
            None => word.into(),
        });
        run(&words.collect::<Vec<_>>())
    }

    /// How many records the log has.
    fn size(&self) -> i64 {
        let said = say!(self, "verify", "@log.db", "--json");
        at(&said.json(), &["size"]).as_i64().unwrap()
    }

    /// Changes, in each form, one byte of what a record says, and nothing else.
    fn tamper(&self) {
        let (before, after) = ("db.read", "db.reed");
        rusqlite::Connection::open(self.path("log.db"))
            .unwrap()
            .execute(
                "UPDATE record SET statement = CAST(replace(statement, ?1, ?2) AS BLOB) WHERE instr(statement, ?1)",
                [before, after],
            )
            .unwrap();
        let entries = self.path("tiles/tile/entries/000.p");
        for entry in fs::read_dir(entries).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, replaced(&bytes, before, after)).unwrap();
        }
        let lines = fs::read_to_string(self.path("log.jsonl")).unwrap();
        let lines = lines.lines().map(|line| {
            let Some((head, rest)) = line.split_once("\"payload\":\"") else {
                return format!("{line}\n");
            };
            let (payload, tail) = rest.split_once('"').unwrap();
            let payload = replaced(&Base64::decode_vec(payload).unwrap(), before, after);
            let payload = Base64::encode_string(&payload);
            format!("{head}\"payload\":\"{payload}\"{tail}\n")
        });
        fs::write(self.path("log.jsonl"), lines.collect::<String>()).unwrap();
    }
}

fn replaced(bytes: &[u8], before: &str, after: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(before.len())
        .enumerate()
        .filter(|(_, window)| *window == before.as_bytes())
        .map(|(place, _)| place)
        .collect();
    for place in places {
        bytes[place..place + after.len()].copy_from_slice(after.as_bytes());
    }
    bytes
}

fn runs(world: &World, action: Action) {
    let gate = world.gate();
    let run = gate.run(action, async |_| Ok::<_, std::io::Error>(()));
    let _ = block_on(run).unwrap();
}

/// Names, sizes, modes and times of everything below a directory.
fn listing(directory: &Path) -> BTreeMap<PathBuf, (u64, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(path) = open.pop() {
        let looks = fs::symlink_metadata(&path).unwrap();
        if looks.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        let (seconds, nanoseconds) = (looks.mtime(), looks.mtime_nsec());
        found.insert(path, (looks.len(), looks.mode(), seconds, nanoseconds));
    }
    found
}

#[test]
fn every_form_of_a_log_gets_the_same_answers() {
    let case = Case::new();
    let size = case.size();
    let [mut told, mut shown] = [const { Vec::new() }; 2];
    let mut receipts = Vec::new();
    for (number, form) in FORMS.into_iter().enumerate() {
        let brought = ["--keys", "@keys.txt", "--expect-checkpoint", "@checkpoint"];
        let said = case
            .say(&[&["verify", form][..], &brought].concat())
            .ends(0);
        assert_eq!(
            said.first_line(),
            format!("verdict      intact and anchored, {size} records")
        );
        let said = case.say(&[&["verify", form, "--json"][..], &brought].concat());
        let json = said.ends(0).json();
        assert_eq!(
            at(&json, &["verdict", "is"]).as_str(),
            Some("intact_anchored")
        );
        assert_eq!(at(&json, &["exit_code"]).as_i64(), Some(0));

        told.push(say!(case, "log", form).ends(0).out);
        let mut all = String::new();
        for seq in 0..size {
            let said = say!(case, "show", form, seq, "--json").ends(0).out;
            let form = form.rsplit(['@', '.']).next().unwrap();
            let form = if form == "db" { "sqlite" } else { form };
            all.push_str(&said.replace(&format!("\"form\":\"{form}\""), ""));
        }
        shown.push(all);
        let said = say!(case, "show", form, "2").ends(0).out;
        let signer = said.lines().nth(2).unwrap();
        assert!(
            signer.starts_with("  ") && signer.ends_with("  gate"),
            "{said}"
        );
        let out = format!("@{number}.receipt");
        let _ = say!(case, "prove", form, "2", "--out", out).ends(0);
        receipts.push(fs::read(case.path(&out[1..])).unwrap());
        let said = say!(case, "verify-receipt", out, "--keys", "@keys.txt").ends(0);
        assert!(
            said.first_line()
                .starts_with("verdict      record 2 stands in the log of ")
        );
        let again = format!("@{number}.jsonl");
        let _ = say!(case, "export", form, "--disclose-all", "--jsonl", again).ends(0);
    }
    for several in [&told, &shown] {
        assert_eq!(several[0], several[1]);
        assert_eq!(several[0], several[2]);
    }
    assert_eq!(told[0].lines().count(), usize::try_from(size).unwrap());
    assert!(receipts.iter().all(|one| *one == receipts[0]));
    let lines = fs::read(case.path("log.jsonl")).unwrap();
    assert_eq!(fs::read(case.path("0.jsonl")).unwrap(), lines);
    assert_eq!(fs::read(case.path("2.jsonl")).unwrap(), lines);
}

#[test]
fn a_changed_record_is_found_in_every_form() {
    let case = Case::new();
    let found = say!(case, "log", "@log.db", "--kind", "requested")
        .ends(0)
        .out;
    let seq = found.split_whitespace().next().unwrap().to_owned();
    case.tamper();
    for (number, form) in FORMS.into_iter().enumerate() {
        let said = say!(case, "verify", form, "--keys", "@keys.txt").ends(1);
        let broken = format!("verdict      broken at record {seq} ");
        assert!(said.first_line().starts_with(&broken), "{said:?}");
        let json = say!(case, "verify", form, "--json").ends(1).json();
        assert_eq!(at(&json, &["verdict", "is"]).as_str(), Some("broken"));
        assert_eq!(at(&json, &["verdict", "seq"]).as_i64(), seq.parse().ok());

        let said = say!(case, "log", form).ends(1);
        let unreliable: Vec<&str> = said
            .out
            .lines()
            .filter(|line| line.contains("not to be relied upon"))
            .collect();
        assert_eq!(unreliable.len(), 1);
        assert!(unreliable[0].trim_start().starts_with(&seq));
        // No filter hides it.
        let said = say!(case, "log", form, "--kind", "voted").ends(1);
        assert!(said.out.contains("not to be relied upon"));
        let said = say!(case, "show", form, seq).ends(1);
        assert!(said.out.contains("signatures   not to be relied upon"));
        let out = format!("@{number}.receipt");
        let _ = say!(case, "prove", form, seq, "--out", out).ends(1);
        assert!(!case.path(&out[1..]).exists());
        let _ = say!(case, "export", form, "--jsonl", format!("@{number}.jsonl")).ends(1);
        assert!(!case.path(&format!("{number}.jsonl")).exists());
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let case = Case::new();
    let anchored = ["--keys", "@keys.txt", "--expect-checkpoint", "@checkpoint"];
    let verify = |more: &[&str]| case.say(&[&["verify", "@log.db"][..], more].concat());
    let _ = verify(&anchored).ends(0);
    let said = verify(&["--keys", "@keys.txt"]).ends(3);
    assert!(said.first_line().contains("unanchored tail"));
    let _ = verify(&["--keys", "@keys.txt", "--allow-unanchored"]).ends(0);
    let said = verify(&["--allow-unanchored"]).ends(2);
    assert!(said.first_line().contains("signer not trusted"), "{said:?}");
    // Somebody else's keys.
    let other = say!(case, "keys", "init", "@other").ends(0).out;
    fs::write(case.path("other.txt"), other).unwrap();
    let _ = verify(&["--keys", "@other.txt"]).ends(2);
    // What cannot be read or is something else.
    fs::write(case.path("empty"), "").unwrap();
    fs::write(case.path("text"), "a letter\n").unwrap();
    rusqlite::Connection::open(case.path("else.db"))
        .unwrap()
        .execute("CREATE TABLE t (x)", [])
        .unwrap();
    for store in ["@nothing", "@empty", "@text", "@else.db", "@keys"] {
        let said = say!(case, "verify", store, "--keys", "@keys.txt").ends(2);
        assert!(
            said.first_line()
                .starts_with("verdict      cannot verify: ")
        );
        let json = say!(case, "verify", store, "--json").ends(2).json();
        assert_eq!(
            at(&json, &["verdict", "is"]).as_str(),
            Some("cannot_verify")
        );
        for command in ["log", "show"] {
            let mut words = vec![command, store];
            words.extend((command == "show").then_some("0"));
            assert!(case.say(&words).ends(2).err.starts_with("countersign: "));
        }
    }
    for file in ["@nothing", "@empty", "@text"] {
        let _ = verify(&["--keys", file]).ends(2);
        let _ = verify(&["--keys", "@keys.txt", "--expect-checkpoint", file]).ends(2);
    }
    let _ = say!(case, "show", "@log.db", "999").ends(2);
    let _ = say!(case, "prove", "@log.db", "999", "--out", "@x").ends(2);
    // A row beside the log that does not say what the log says.
    rusqlite::Connection::open(case.path("log.db"))
        .unwrap()
        .execute("DELETE FROM timer", [])
        .unwrap();
    let _ = verify(&anchored).ends(4);
    for words in [
        &[][..],
        &["verify"],
        &["verify", "a", "b"],
        &["verify", "a", "--kyes", "b"],
        &["show", "a", "first"],
        &["log", "a", "--since", "yesterday"],
        &["export", "a"],
        &["keys", "revoke", "a", "b"],
        &[
            "prove",
            "a",
            "1",
            "--out",
            "b",
            "--disclose",
            "/c",
            "--disclose-all",
        ],
        &["verify-receipt", "a", "--keys", "b", "--later", "c"],
    ] {
        let said = case.say(words).ends(64);
        assert!(said.out.is_empty(), "{said:?}");
        assert!(
            said.err.starts_with("error: ") || said.err.contains("Usage: countersign"),
            "{said:?}"
        );
    }
    let said = say!(case, "--help").ends(0);
    assert!(said.out.contains("Exit codes:") && said.err.is_empty());
}

#[test]
fn nothing_is_written_that_was_not_asked_for() {
    let case = Case::new();
    let _ = say!(case, "prove", "@log.db", "2", "--out", "@receipt").ends(0);
    let read_everything = |case: &Case, forms: &[&str]| {
        for form in forms {
            let _ = say!(case, "verify", form, "--keys", "@keys.txt");
            let _ = say!(case, "log", form).ends(0);
            let _ = say!(case, "show", form, "2").ends(0);
            // The answer is refused before anything is written.
            let _ = say!(case, "prove", form, "2", "--out", "@receipt").ends(2);
            let _ = say!(case, "export", form, "--jsonl", "-").ends(0);
        }
        let _ = say!(case, "verify-receipt", "@receipt", "--keys", "@keys.txt").ends(0);
        let _ = say!(case, "keys", "show", "@keys").ends(0);
        // What is not there is not made.
        let _ = say!(case, "verify", "@missing.db").ends(2);
        let _ = say!(case, "keys", "show", "@missing").ends(2);
    };
    let before = listing(case.folder.path());
    read_everything(&case, &FORMS);
    assert_eq!(listing(case.folder.path()), before);

    // Nor where the directory would not let it.
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(case.folder.path(), mode).unwrap();
    };
    mode(0o555);
    let before = listing(case.folder.path());
    read_everything(&case, &FORMS);
    assert_eq!(listing(case.folder.path()), before);
    mode(0o755);

    // Nor beside a process that works.
    let world = case.open();
    runs(&world, read());
    let before = listing(case.folder.path());
    let said = say!(case, "verify", "@log.db", "--keys", "@keys.txt").ends(3);
    assert!(case.path("log.db-wal").exists());
    let _ = say!(case, "log", "@log.db", "--last", "1").ends(0);
    // The head file follows within a second.
    let but_the_head = |mut listing: BTreeMap<PathBuf, _>| {
        listing.remove(&case.path("log.db.head"));
        listing
    };
    assert_eq!(
        but_the_head(listing(case.folder.path())),
        but_the_head(before),
        "{said:?}"
    );
    world.close();
}

#[test]
fn texts_of_others_are_made_visible() {
    let case = Case::new();
    let mut all = String::new();
    for form in FORMS {
        for words in [
            &["log", form][..],
            &["log", form, "--json"],
            &["verify", form],
        ] {
            all.push_str(&case.say(words).out);
        }
        for seq in 0..case.size() {
            all.push_str(&say!(case, "show", form, seq).out);
            all.push_str(&say!(case, "show", form, seq, "--json").out);
        }
    }
    let requested = say!(case, "log", "@log.db", "--kind", "requested", "--last", "1").out;
    let seq = requested.split_whitespace().next().unwrap();
    let _ = say!(
        case,
        "prove",
        "@log.db",
        seq,
        "--disclose-all",
        "--out",
        "@receipt"
    )
    .ends(0);
    for json in [&[][..], &["--json"]] {
        let words = ["verify-receipt", "@receipt", "--keys", "@keys.txt"];
        all.push_str(&case.say(&[&words[..], json].concat()).ends(0).out);
    }
    all.push_str(&say!(case, "verify", format!("no{HOSTILE}")).ends(2).out);
    let risky = all
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert_eq!(risky, None);
    assert!(all.contains(r"fine\u001b[2J\u202eevil\u000averdict"));
    assert!(
        !all.lines()
            .any(|line| line == "verdict      intact and anchored")
    );
}

#[test]
fn a_log_is_told_in_parts() {
    let case = Case::new();
    let size = usize::try_from(case.size()).unwrap();
    let all = say!(case, "log", "@log.db").ends(0).out;
    let all: Vec<&str> = all.lines().collect();
    for form in FORMS {
        let told = |more: &[&str]| {
            let said = case.say(&[&["log", form][..], more].concat()).ends(0);
            said.out.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(told(&["--from", "1", "--to", "2"]), all[1..=2]);
        assert_eq!(told(&["--last", "2"]), all[size - 2..]);
        assert_eq!(told(&["--last", "99"]), all);
        assert_eq!(told(&["--last", "1", "--to", "1"]), all[1..2]);
        let kinds = told(&["--kind", "voted", "--kind", "genesis"]);
        assert_eq!(kinds.len(), 2);
        assert!(kinds[0].contains(" genesis ") && kinds[1].contains(" voted "));
        assert_eq!(told(&["--since", "2026-11-25"]), Vec::<String>::new());
        assert_eq!(told(&["--since", "2026-11-24T09:00Z"]), all);
        assert_eq!(
            told(&["--until", "2026-11-24T09:00Z"]),
            Vec::<String>::new()
        );
        let voted = say!(case, "log", form, "--kind", "voted", "--json").json();
        let request = at(&voted, &["request"]).as_str().unwrap().to_owned();
        let of_request = told(&["--request", &request]);
        assert!(of_request.len() > 1 && of_request.len() < size);
        let seq = at(&voted, &["seq"]).as_i64().unwrap();
        assert_eq!(all[usize::try_from(seq).unwrap()], kinds[1]);
    }
}

#[test]
fn a_receipt_discloses_what_was_asked_for_and_is_never_overwritten() {
    let case = Case::new();
    let requested = say!(case, "log", "@log.db", "--kind", "requested", "--last", "1").out;
    let seq = requested.split_whitespace().next().unwrap();
    let prove = |out: &str, more: &[&str]| {
        case.say(&[&["prove", "@log.db", seq, "--out", out][..], more].concat())
    };
    let shown = |receipt: &str| {
        let said = say!(
            case,
            "verify-receipt",
            receipt,
            "--keys",
            "@keys.txt",
            "--json"
        );
        said.ends(0).json()
    };
    let _ = prove("@bare", &[]).ends(0);
    let _ = prove("@one", &["--disclose", "/bound/parameters/sensitive/iban"]).ends(0);
    let _ = prove("@all", &["--disclose-all"]).ends(0);
    let disclosed = |receipt: &str| at(&shown(receipt), &["disclosed"]).clone();
    assert_eq!(disclosed("@bare").to_canonical(), b"{}");
    assert_eq!(
        disclosed("@one").to_canonical(),
        br#"{"/bound/parameters/sensitive/iban":"DE02120300000000202051"}"#
    );
    assert!(disclosed("@all").as_object().unwrap().len() > 2);
    assert_eq!(at(&shown("@all"), &["withheld"]).as_i64(), Some(0));

    let said = prove("@none", &["--disclose", "/bound/parameters/sensitive/ibna"]).ends(2);
    assert!(said.err.contains("/bound/parameters/sensitive/ibna") && !case.path("none").exists());
    let before = fs::read(case.path("bare")).unwrap();
    let said = prove("@bare", &["--disclose-all"]).ends(2);
    assert!(said.err.contains("is there already"));
    assert_eq!(fs::read(case.path("bare")).unwrap(), before);

    // A changed receipt, and one by keys that nobody gave us.
    let text = String::from_utf8(before).unwrap();
    let changed = text.replacen("index ", "index 1", 1);
    fs::write(case.path("changed"), changed).unwrap();
    let said = say!(case, "verify-receipt", "@changed", "--keys", "@keys.txt").ends(1);
    assert!(
        said.first_line()
            .starts_with("verdict      proves nothing: ")
    );
    let other = say!(case, "keys", "init", "@other").ends(0).out;
    fs::write(case.path("other.txt"), other).unwrap();
    let said = say!(case, "verify-receipt", "@bare", "--keys", "@other.txt").ends(2);
    assert!(
        said.first_line()
            .starts_with("verdict      cannot verify: ")
    );
}

#[test]
fn a_receipt_still_stands_in_the_log_that_grew() {
    let case = Case::new();
    let _ = say!(case, "prove", "@log.db", "2", "--out", "@receipt").ends(0);
    let world = case.open();
    runs(&world, read());
    world.close();
    let _ = say!(
        case,
        "export",
        "@log.db",
        "--disclose-all",
        "--tiles",
        "@tiles"
    )
    .ends(0);
    let _ = say!(
        case,
        "export",
        "@log.db",
        "--disclose-all",
        "--jsonl",
        "@new.jsonl"
    )
    .ends(0);
    let size = case.size();
    for (number, form) in ["@log.db", "@tiles", "@new.jsonl"].into_iter().enumerate() {
        let (later, proof) = (format!("@{number}.later"), format!("@{number}.proof"));
        let _ = say!(
            case,
            "prove-later",
            form,
            "@receipt",
            "--later",
            later,
            "--consistency",
            proof
        )
        .ends(0);
        let verify = |proof: &str| {
            say!(
                case,
                "verify-receipt",
                "@receipt",
                "--keys",
                "@keys.txt",
                "--later",
                later,
                "--consistency",
                proof
            )
        };
        let said = verify(&proof).ends(0);
        let stands = format!("later        it still stands in the log of {size} records");
        assert!(said.out.lines().any(|line| line == stands), "{said:?}");
        let text = fs::read_to_string(case.path(&proof[1..])).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        for wrong in [
            first.to_owned() + "\n",
            text.clone() + "\n",
            format!("old 1\n{rest}"),
        ] {
            fs::write(case.path("wrong"), wrong).unwrap();
            let _ = verify("@wrong").ends(1);
        }
    }
    // An older copy has nothing to prove it with.
    let _ = say!(case, "prove", "@log.db", size - 1, "--out", "@new").ends(0);
    let _ = say!(
        case,
        "prove-later",
        "@log.jsonl",
        "@new",
        "--later",
        "@a",
        "--consistency",
        "@b"
    )
    .ends(1);
    assert!(!case.path("a").exists() && !case.path("b").exists());
}

#[test]
fn an_export_hands_over_no_value_unless_asked() {
    let case = Case::new();
    let export = |file: &str, more: &[&str]| {
        let _ = case
            .say(&[&["export", "@log.db", "--jsonl", file][..], more].concat())
            .ends(0);
        say!(case, "log", file).out
            + &say!(case, "show", file, "1").out
            + &(0..case.size())
                .map(|seq| say!(case, "show", file, seq).out)
                .collect::<String>()
    };
    let iban = "DE02120300000000202051";
    let none = export("@none", &[]);
    assert!(!none.contains(iban) && none.contains("withheld by the export"));
    let one = export("@one", &["--disclose", "iban"]);
    assert!(one.contains(iban) && !one.contains("evil"));
    let _ = say!(case, "verify", "@none", "--keys", "@keys.txt").ends(3);
    let _ = say!(case, "export", "@log.db", "--jsonl", "@one").ends(2);
}

#[test]
fn sealed_values_are_opened_by_their_keys_alone() {
    let case = Case::new();
    let seq = say!(case, "log", "@log.db", "--kind", "requested", "--last", "1").out;
    let seq = seq.split_whitespace().next().unwrap();
    let iban = "DE02120300000000202051";
    assert!(
        say!(case, "show", "@log.db", seq)
            .ends(0)
            .out
            .contains(iban)
    );
    let sealed = |words: &[&str]| case.say_without_values(words);
    let said = sealed(&["show", "@log.db", seq]).ends(0).out;
    assert!(!said.contains(iban) && said.contains("sealed (--values opens it)"));
    let json = sealed(&["show", "@log.db", seq, "--json"]).ends(0).json();
    assert_eq!(at(&json, &["hidden"]).as_array().unwrap().len(), 4);
    let said = sealed(&["verify", "@log.db", "--keys", "@keys.txt"]).ends(3);
    assert!(said.out.contains("hidden members are sealed"), "{said:?}");
    let said = sealed(&["prove", "@log.db", seq, "--disclose-all", "--out", "@x"]).ends(2);
    assert!(said.err.contains("sealed"), "{said:?}");
    let said = sealed(&["export", "@log.db", "--disclose", "iban", "--jsonl", "@y"]).ends(2);
    assert!(said.err.contains("sealed"), "{said:?}");
    let _ = sealed(&["export", "@log.db", "--jsonl", "@z"]).ends(0);
    assert!(!case.path("x").exists());

    // Those of another log open nothing.
    let other = Case::new();
    fs::copy(other.path("values"), case.path("values")).unwrap();
    let said = say!(case, "show", "@log.db", seq).ends(2);
    assert!(said.err.contains("another log"), "{said:?}");
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let case = Case::new();
    for words in [
        &["log", "@log.db"][..],
        &[
            "verify",
            "@log.db",
            "--keys",
            "@keys.txt",
            "--allow-unanchored",
        ],
        &["export", "@log.db", "--jsonl", "-"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let words = words.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => case.path(name).into_os_string(),
            None => word.into(),
        });
        let output = Command::new(COMMAND)
            .args(words)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output();
        let said = Said::of(output.unwrap()).ends(0);
        assert!(said.err.is_empty(), "{said:?}");
    }
}

/// Every secret of a directory, as its file has it.
fn secrets(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|path| path.to_str().unwrap().contains(".key"))
        .map(|path| fs::read_to_string(path).unwrap())
        .map(|line| line.trim_end().rsplit(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn keys_are_made_shown_and_changed_and_no_secret_is_told() {
    let case = Case::new();
    let mut all = String::new();
    let mut told = |said: Said| {
        all.push_str(&said.out);
        all.push_str(&said.err);
        said.out
    };
    let made = told(say!(case, "keys", "init", "@desk", "--roles", "desk,checkpoint").ends(0));
    assert_eq!(told(say!(case, "keys", "show", "@desk").ends(0)), made);
    assert_eq!(
        made.lines().filter(|line| !line.starts_with('#')).count(),
        2
    );
    let names: Vec<_> = listing(&case.path("desk")).into_keys().collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let _ = told(say!(case, "keys", "init", "@desk").ends(2));

    let mut known = secrets(&case.path("keys"));
    known.extend(secrets(&case.path("desk")));
    let size = case.size();
    let _ = told(say!(case, "keys", "add", "@log.db", "@desk", "--keys", "@keys").ends(0));
    assert_eq!(case.size(), size + 2);
    // Again: it is there already.
    let _ = told(say!(case, "keys", "add", "@log.db", "@desk", "--keys", "@keys").ends(0));
    assert_eq!(case.size(), size + 2);
    let id = made.lines().nth(1).unwrap().strip_prefix("# ").unwrap();
    let revoke = ["keys", "revoke", "@log.db", id, "--keys", "@keys"];
    let _ = told(case.say(&[&revoke[..], &["--lost"]].concat()).ends(0));
    let _ = told(case.say(&[&revoke[..], &["--lost"]].concat()).ends(2));
    assert_eq!(case.size(), size + 3);
    for role in Role::ALL {
        let _ = told(
            say!(
                case, "keys", "rotate", "@log.db", "--keys", "@keys", "--role", role
            )
            .ends(0),
        );
        known.extend(secrets(&case.path("keys")));
    }
    // The keys of the beginning vouch for it all, and whoever opens it with the new ones goes on.
    let world = case.open();
    runs(&world, read());
    world.close();
    let _ = told(say!(case, "verify", "@log.db", "--keys", "@keys.txt").ends(3));
    let kinds = [
        "--kind",
        "key_added",
        "--kind",
        "key_rotated",
        "--kind",
        "key_revoked",
    ];
    let changes = case
        .say(&[&["log", "@log.db"][..], &kinds].concat())
        .ends(0)
        .out;
    assert_eq!(changes.lines().count(), 7);
    for secret in known {
        assert!(secret.len() > 40 && !all.contains(&secret));
    }
}

/// Opening a store for its operator decides nothing, ends nothing, and leaves no file behind.
#[test]
fn an_operator_adds_one_record_and_nothing_else() {
    let case = Case::new();
    let world = case.open();
    let _waits = world.file(common::pay(1));
    world.close();
    let size = case.size();
    let names = |case: &Case| listing(case.folder.path()).into_keys().collect::<Vec<_>>();
    let before = names(&case);
    let _ = say!(
        case, "keys", "rotate", "@log.db", "--keys", "@keys", "--role", "gate"
    )
    .ends(0);
    assert_eq!(case.size(), size + 1);
    assert_eq!(names(&case), before);
    let said = say!(case, "log", "@log.db", "--from", size).ends(0).out;
    assert_eq!(said.lines().count(), 1);
    assert!(said.contains(" key_rotated "));

    // Who holds no operator's key, or whose store has no log, leaves all as it is.
    let _ = say!(case, "keys", "init", "@gate", "--roles", "gate,checkpoint").ends(0);
    SqliteStore::create(case.path("new.db")).unwrap();
    let before = listing(&case.path("new.db"));
    let keys = names(&case);
    for store in ["@log.db", "@new.db", "@missing.db"] {
        let _ = say!(
            case, "keys", "rotate", store, "--keys", "@gate", "--role", "gate"
        )
        .ends(2);
    }
    assert_eq!(listing(&case.path("new.db")), before);
    assert_eq!(names(&case), keys);
    assert_eq!(case.size(), size + 1);
    assert!(!case.path("missing.db").exists());
}

/// The files of a case that a rotation works on, elsewhere.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to.join("keys")).unwrap();
    fs::set_permissions(to.join("keys"), fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["log.db", "log.db.head", "keys.txt", "values"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
    for role in Role::ALL {
        let name = format!("keys/{role}.key");
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
    for path in listing(&from.join("keys")).into_keys() {
        if path.extension().is_some_and(|it| it == "values") {
            let name = path.file_name().unwrap();
            fs::copy(from.join("keys").join(name), to.join("keys").join(name)).unwrap();
        }
    }
}

/// Cut off before any call that changes a file, a rotation is finished by another run: the key in the directory is the one that
/// the log names, and no key that the log names was lost.
#[test]
fn a_rotation_that_was_cut_short_is_finished_by_the_next() {
    let case = Case::new();
    let rotations = |case: &Case| {
        let said = say!(case, "log", "@log.db", "--kind", "key_rotated").ends(0);
        said.out.lines().count()
    };
    for role in [Role::Gate, Role::Operator, Role::Checkpoint] {
        for call in ["rename,renameat,renameat2", "fsync", "unlink,unlinkat"] {
            for number in 1.. {
                let cut = Case {
                    folder: tempfile::tempdir().unwrap(),
                };
                copy(case.folder.path(), cut.folder.path());
                let traced = Command::new("strace")
                    .args(["-f", "-qq", "-o", "/dev/null"])
                    .args(["-e", &format!("trace={call}")])
                    .args(["-e", &format!("inject={call}:signal=KILL:when={number}")])
                    .arg(COMMAND)
                    .args(["keys", "rotate"])
                    .arg(cut.path("log.db"))
                    .arg("--keys")
                    .arg(cut.path("keys"))
                    .args(["--role", role.as_str()])
                    .output();
                let traced = traced.expect("strace is needed to cut it off: install it");
                let done = traced.status.success();
                let place = format!("{role}, {call} number {number}: {traced:?}");
                if !done {
                    // However it was left, an auditor can read it, or is told why not: SQLite takes the index away before the log.
                    let said = say!(cut, "verify", "@log.db", "--keys", "@keys.txt");
                    let told = said.first_line().contains("open it once for writing");
                    assert!(
                        said.code == 3 || (said.code == 2 && told),
                        "{place}: {said:?}"
                    );
                    let rotate = ["keys", "rotate", "@log.db", "--keys", "@keys", "--role"];
                    let said = cut.say(&[&rotate[..], &[role.as_str()]].concat());
                    assert_eq!(said.code, 0, "{place}: {said:?}");
                }
                let left: Vec<_> = listing(&cut.path("keys")).into_keys().collect();
                let left = left
                    .iter()
                    .any(|path| path.to_str().unwrap().contains(".next"));
                assert!(!left, "{place}");
                // Where it was cut off after its last step, the second run began another.
                let many = rotations(&cut);
                assert!(many == 1 || (many == 2 && !done), "{place}: {many}");
                let world = cut.open();
                runs(&world, read());
                world.close();
                let _ = say!(cut, "verify", "@log.db", "--keys", "@keys.txt").ends(3);
                if done {
                    assert!(
                        number > 1 || call.starts_with("unlink"),
                        "nothing was cut off at {call}"
                    );
                    break;
                }
            }
        }
    }
}

/// Has these of three witnesses cosign the newest checkpoint, or forge what they say; the policy `witnesses` asks for two of them.
fn cosign(case: &Case, names: &[&str], forge: bool) {
    let at = Timestamp::parse("2026-12-01T08:00:00.000000Z").unwrap();
    let witnesses = ["one", "two", "three"].map(|name| {
        let secret = SecretKey::from_seed(&[name.len() as u8 + name.as_bytes()[0]; 32]);
        let shown = KeyName::new(format!("witness.example/{name}")).unwrap();
        let key = WitnessKey::new(shown, secret.public().clone());
        (name, secret, key)
    });
    let lines = witnesses
        .iter()
        .map(|(name, _, key)| format!("witness {name} {key}\n"));
    let policy = lines.collect::<String>() + "group two-of 2 one two three\nquorum two-of\n";
    fs::write(case.path("witnesses"), policy).unwrap();

    let store = SqliteStore::open_or_create(case.path("log.db")).unwrap();
    let size = block_on(store.head()).unwrap().unwrap().size;
    let found = block_on(store.find(Query::Checkpoint { at_least: size })).unwrap();
    let expected = found.checkpoint().unwrap().unwrap().1;
    let note = Note::parse(&expected).unwrap();
    let cosigned = witnesses.iter().filter(|(name, _, _)| names.contains(name));
    let lines = cosigned.map(|(_, secret, key)| {
        let text = note.unverified_text();
        let text = if forge {
            text.replacen('\n', "x\n", 1)
        } else {
            text.to_owned()
        };
        Cosignature::sign(&text, at, secret).unwrap().line(key)
    });
    let lines = lines.collect();
    let chore = Chore::AddSignatures {
        size,
        expected,
        lines,
    };
    assert_eq!(block_on(store.tend(chore)).unwrap(), Tended::Done);
    drop(store);
    case.export();
}

#[test]
fn a_quorum_of_witnesses_is_an_anchor_in_every_form() {
    let case = Case::new();
    let brought = ["--keys", "@keys.txt", "--witness-policy", "@witnesses"];
    let verify =
        |form: &str, more: &[&str]| case.say(&[&["verify", form][..], &brought, more].concat());
    // One of three is no quorum of two.
    cosign(&case, &["one"], false);
    for form in FORMS {
        let said = verify(form, &[]).ends(3);
        assert!(
            said.first_line().contains("of which 0 are anchored"),
            "{said:?}"
        );
        let none = "witnesses    no checkpoint of the log has a quorum of the policy";
        assert!(said.out.lines().any(|line| line == none), "{said:?}");
        let json = verify(form, &["--json"]).ends(3).json();
        assert_eq!(at(&json, &["witnesses", "size"]).as_i64(), Some(0));
    }
    let _ = say!(case, "prove", "@log.db", "2", "--out", "@alone").ends(0);
    cosign(&case, &["three"], false);
    let size = case.size();
    for (number, form) in FORMS.into_iter().enumerate() {
        let said = verify(form, &[]).ends(0);
        let verdict = format!("verdict      intact and anchored, {size} records");
        assert_eq!(said.first_line(), verdict);
        let line = format!(
            "witnesses    a quorum vouches for the first {size} records since 2026-12-01T08:00:00.000000Z: one three"
        );
        assert!(said.out.lines().any(|found| found == line), "{said:?}");
        let json = verify(form, &["--json"]).ends(0).json();
        assert_eq!(at(&json, &["witnesses", "size"]).as_i64(), Some(size));
        let first = &at(&json, &["witnesses", "by"]).as_array().unwrap()[0];
        assert_eq!(at(first, &["name"]).as_str(), Some("one"));

        let out = format!("@{number}.receipt");
        let _ = say!(case, "prove", form, "2", "--out", out).ends(0);
        let receipt = |receipt: &str, more: &[&str]| {
            case.say(&[&["verify-receipt", receipt][..], &brought, more].concat())
        };
        let said = receipt(&out, &[]).ends(0);
        let line = line.replace("for the first", "for the log of");
        assert!(said.out.lines().any(|found| found == line), "{said:?}");
        let json = receipt(&out, &["--json"]).ends(0).json();
        assert_eq!(at(&json, &["witnesses", "size"]).as_i64(), Some(size));
        // It proves what it proved, and the witnesses do not vouch for it.
        let said = receipt("@alone", &[]).ends(3);
        assert!(said.first_line().contains("record 2 stands in the log"));
        assert!(
            said.out
                .contains("witnesses    no quorum vouches for the log: 1 witnesses"),
            "{said:?}"
        );
        let json = receipt("@alone", &["--json"]).ends(3).json();
        assert_eq!(at(&json, &["exit_code"]).as_i64(), Some(3));
    }
    // What came after it is a tail.
    let world = case.open();
    runs(&world, read());
    world.close();
    let said = verify("@log.db", &[]).ends(3);
    assert!(
        said.first_line()
            .ends_with(&format!("of which {size} are anchored")),
        "{said:?}"
    );
}

#[test]
fn a_cosignature_that_does_not_verify_is_named_and_does_not_count() {
    let case = Case::new();
    cosign(&case, &["one", "two", "three"], true);
    let brought = ["--keys", "@keys.txt", "--witness-policy", "@witnesses"];
    for form in FORMS {
        let said = case
            .say(&[&["verify", form][..], &brought].concat())
            .ends(3);
        let why = "does not count as witnessed: the cosignature of the witness `one`: the cosignature does not verify";
        assert!(said.out.contains(why), "{said:?}");
    }
    let _ = say!(case, "prove", "@log.db", "2", "--out", "@receipt").ends(0);
    let said = case
        .say(&[&["verify-receipt", "@receipt"][..], &brought].concat())
        .ends(3);
    assert!(
        said.out
            .contains("the witness `one`: the cosignature does not verify"),
        "{said:?}"
    );
    // Half a policy is none.
    let text = fs::read_to_string(case.path("witnesses")).unwrap();
    fs::write(case.path("witnesses"), text.trim_end()).unwrap();
    let said = case
        .say(&[&["verify", "@log.db"][..], &brought].concat())
        .ends(2);
    assert!(said.first_line().contains("witnesses`: "), "{said:?}");
}

#[test]
fn a_value_that_is_gone_was_erased_by_a_record_or_is_lost() {
    let case = Case::new();
    let world = case.open();
    let action = Action::named("pay")
        .parameter("amount", 7)
        .sensitive("iban", "DE02120300000000202051")
        .build();
    let request = world.file(action.unwrap());
    block_on(world.gate().withdraw(request)).unwrap();
    let key = std::sync::Arc::clone(world.keys.signer(Role::Operator).unwrap());
    let operator = world.countersign.operator(key).unwrap();
    let basis = LegalBasis::new("gdpr_art_17_1_a").unwrap();
    let erase = Erase::Request(request);
    let erasure = block_on(operator.erase(&erase, &basis, "they asked for it")).unwrap();
    let told = say!(case, "log", "@log.db", "--kind", "requested").out;
    let [seq, before] = told
        .lines()
        .rev()
        .take(2)
        .map(|line| line.split_whitespace().next().unwrap())
        .collect::<Vec<_>>()[..]
    else {
        panic!()
    };
    let by = erasure.records[0];
    drop(operator);
    world.close();
    let _ = say!(
        case,
        "export",
        "@log.db",
        "--disclose-all",
        "--tiles",
        "@new"
    )
    .ends(0);
    let _ = say!(
        case,
        "export",
        "@log.db",
        "--disclose-all",
        "--jsonl",
        "@new.jsonl"
    )
    .ends(0);
    for form in ["@log.db", "@new", "@new.jsonl"] {
        let said = say!(case, "show", form, seq).ends(0);
        let line = format!(
            "  /bound/parameters/sensitive/… erased by record {by} (gdpr_art_17_1_a), digest "
        );
        assert!(
            said.out.lines().any(|found| found.starts_with(&line)),
            "{said:?}"
        );
        assert!(!said.out.contains("lost"), "{said:?}");
        let json = say!(case, "show", form, seq, "--json").ends(0).json();
        let members = at(&json, &["hidden"]).as_array().unwrap();
        let erased: Vec<&Json> = members
            .iter()
            .filter(|member| at(member, &["is"]).as_str() == Some("erased"))
            .collect();
        assert_eq!(erased.len(), members.len());
        assert_eq!(
            at(erased[0], &["by"]).as_i64(),
            i64::try_from(by.get()).ok()
        );
        assert_eq!(at(erased[0], &["basis"]).as_str(), Some("gdpr_art_17_1_a"));
    }
    // Somebody deletes others without a word.
    rusqlite::Connection::open(case.path("log.db"))
        .unwrap()
        .execute("DELETE FROM disclosure", [])
        .unwrap();
    let said = say!(case, "show", "@log.db", before).ends(0);
    assert!(
        said.out
            .contains("… lost: no record says that it was erased, digest "),
        "{said:?}"
    );
    assert!(!said.out.contains("erased by"), "{said:?}");
    // An erasure that nobody signed is none.
    rusqlite::Connection::open(case.path("log.db"))
        .unwrap()
        .execute(
            "UPDATE record SET statement = CAST(replace(statement, 'gdpr_art_17_1_a', 'gdpr_art_17_1_b') AS BLOB) WHERE seq = ?1",
            [i64::try_from(by.get()).unwrap()],
        )
        .unwrap();
    let said = say!(case, "show", "@log.db", seq).ends(0);
    let lost =
        format!("… lost: record {by} says that it was erased, and is not to be relied upon (");
    assert!(said.out.contains(&lost), "{said:?}");
}

/// A case with a request that waits, verified up to here: its checkpoint is in `mark`.
fn marked() -> (Case, RequestId) {
    let case = Case::new();
    let world = case.open();
    let request = world.file(secret_payment());
    world.close();
    case.export();
    let said = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--save-checkpoint",
        "@mark"
    );
    let saved = said.ends(3).out;
    assert!(
        saved.lines().any(|line| line.starts_with("saved        `")),
        "{saved}"
    );
    (case, request)
}

fn secret_payment() -> Action {
    Action::named("pay")
        .parameter("amount", 7)
        .sensitive("iban", "DE02120300000000202051")
        .build()
        .unwrap()
}

impl Case {
    /// Makes both exports anew.
    fn export(&self) {
        let _ = fs::remove_dir_all(self.path("tiles"));
        let _ = fs::remove_file(self.path("log.jsonl"));
        for (form, place) in [("--tiles", "@tiles"), ("--jsonl", "@log.jsonl")] {
            let _ = say!(self, "export", "@log.db", "--disclose-all", form, place).ends(0);
        }
    }

    fn since(&self, form: &str, more: &[&str]) -> Said {
        let brought = ["--keys", "@keys.txt", "--since", "@mark"];
        self.say(&[&["verify", form][..], &brought, more].concat())
    }

    fn whole(&self, form: &str) -> Said {
        say!(self, "verify", form, "--keys", "@keys.txt")
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) {
        let database = rusqlite::Connection::open(self.path("log.db")).unwrap();
        assert_ne!(database.execute(sql, values).unwrap(), 0);
    }

    /// The number of the last record of a kind.
    fn last(&self, kind: &str) -> i64 {
        let told = say!(self, "log", "@log.db", "--kind", kind, "--last", "1").out;
        told.split_whitespace().next().unwrap().parse().unwrap()
    }
}

#[test]
fn a_verification_goes_on_from_where_one_ended_before() {
    let (case, request) = marked();
    let since = case.size();
    let said = case.since("@log.db", &[]).ends(0);
    let nothing = format!(
        "verdict      nothing came after the first {since} records, which were not verified again"
    );
    assert_eq!(said.first_line(), nothing);

    // The request that was open is decided and carried out, and another one comes.
    let world = case.open();
    let _voted = world.approve("rita", request).unwrap();
    let permit = block_on(world.gate().resume(request)).unwrap();
    let _done = block_on(permit.run(async |_| Ok::<_, String>(()))).unwrap();
    runs(&world, read());
    let _waits = world.file(secret_payment());
    world.close();
    case.export();
    let size = case.size();
    fs::copy(case.path("tiles/checkpoint"), case.path("checkpoint")).unwrap();
    let mut marks = Vec::new();
    for (number, form) in FORMS.into_iter().enumerate() {
        let said = case.since(form, &[]).ends(3);
        let verdict = format!(
            "verdict      intact from record {since} on with an unanchored tail, {size} records of which {since} are anchored; those before {since} were not verified again"
        );
        assert_eq!(said.first_line(), verdict);
        assert!(
            said.out.contains("\nnot looked at  bytes, signatures and "),
            "{said:?}"
        );
        // One that was approved before and never started, one that was carried out, and one that waits.
        let requests = format!(
            "requests     4: 2 succeeded, 1 approved, 1 pending (open at record {since}, or later)"
        );
        assert!(said.out.lines().any(|line| line == requests), "{said:?}");
        let json = case.since(form, &["--json"]).ends(3).json();
        assert_eq!(at(&json, &["verdict", "is"]).as_str(), Some("intact_since"));
        assert_eq!(at(&json, &["verdict", "since"]).as_i64(), Some(since));

        // What is saved is the same whoever saves it.
        let (whole, part) = (format!("@whole{number}"), format!("@part{number}"));
        let kept = ["--expect-checkpoint", "@checkpoint", "--save-checkpoint"];
        let more = [&kept[..], &[&part]].concat();
        let said = case.since(form, &more).ends(0);
        let verdict = format!(
            "verdict      intact and anchored from record {since} on, up to {size} records; those before were not verified again"
        );
        assert_eq!(said.first_line(), verdict);
        let brought = ["verify", form, "--keys", "@keys.txt"];
        let _ = case.say(&[&brought[..], &kept, &[&whole]].concat()).ends(0);
        marks.push(fs::read(case.path(&whole[1..])).unwrap());
        marks.push(fs::read(case.path(&part[1..])).unwrap());
    }
    assert!(marks.iter().all(|mark| *mark == marks[0]));
    // It is a checkpoint too, and an older one holds where a later verification begins.
    let _ = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--expect-checkpoint",
        "@part0"
    )
    .ends(0);
    let brought = [
        "--keys",
        "@keys.txt",
        "--since",
        "@part0",
        "--expect-checkpoint",
        "@mark",
    ];
    for form in FORMS {
        let _ = case
            .say(&[&["verify", form][..], &brought].concat())
            .ends(0);
    }
}

#[test]
fn a_bookmark_is_written_only_of_an_intact_log_and_over_no_file() {
    let (case, _) = marked();
    let before = fs::read(case.path("mark")).unwrap();
    let said = case
        .since("@log.db", &["--save-checkpoint", "@mark"])
        .ends(2);
    assert!(said.first_line().contains("is there already"), "{said:?}");
    assert_eq!(fs::read(case.path("mark")).unwrap(), before);
    // Without keys nothing is known.
    let said = say!(case, "verify", "@log.db", "--save-checkpoint", "@other").ends(2);
    assert!(said.out.contains("saved        nothing"), "{said:?}");
    case.tamper();
    let said = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--save-checkpoint",
        "@other"
    )
    .ends(1);
    assert!(said.out.contains("saved        nothing"), "{said:?}");
    assert!(!case.path("other").exists());
    // A checkpoint alone does not say what was open; half a bookmark says nothing.
    let said = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--since",
        "@checkpoint"
    )
    .ends(2);
    assert!(
        said.first_line().contains("it is a checkpoint alone"),
        "{said:?}"
    );
    fs::write(case.path("mark"), &before[..before.len() / 2]).unwrap();
    let said = case.since("@log.db", &[]).ends(2);
    assert!(
        said.first_line()
            .contains("a bookmark that was cut or changed"),
        "{said:?}"
    );
}

#[test]
fn what_was_changed_after_a_checkpoint_is_found_from_there() {
    let (case, request) = marked();
    let world = case.open();
    let _voted = world.approve("rita", request).unwrap();
    runs(&world, read());
    world.close();
    let voted = case.last("voted");
    case.change(
        "UPDATE record SET statement = CAST(replace(statement, 'approve', 'approvf') AS BLOB) WHERE seq = ?1",
        [voted],
    );
    let said = case.since("@log.db", &[]).ends(1);
    let broken = format!("verdict      broken at record {voted} ");
    assert!(said.first_line().starts_with(&broken), "{said:?}");
    // A record that is gone, with all that would say so.
    case.change("DELETE FROM record WHERE seq >= ?1", [voted]);
    let said = case.since("@log.db", &[]).ends(1);
    assert!(said.first_line().starts_with(&broken), "{said:?}");
}

#[test]
fn what_was_changed_before_a_checkpoint_is_found_or_said_not_to_be_looked_at() {
    let (case, _) = marked();
    let since = case.size();
    let world = case.open();
    let _waits = world.file(secret_payment());
    world.close();
    case.export();
    fs::copy(case.path("log.db"), case.path("good.db")).unwrap();
    let again = || fs::copy(case.path("good.db"), case.path("log.db")).unwrap();
    let at_checkpoint = format!("verdict      broken at record {} (rule S7)", since - 1);

    // A stored hash of the tree.
    case.change("UPDATE record SET leaf = zeroblob(32) WHERE seq = 3", []);
    let said = case.since("@log.db", &[]).ends(1);
    assert!(said.first_line().starts_with(&at_checkpoint), "{said:?}");
    // A record of a request that is still open.
    let _ = again();
    let open = case.last("requested");
    assert!(open < since);
    case.change(
        "UPDATE record SET statement = CAST(replace(statement, 'pay', 'paz') AS BLOB) WHERE seq = ?1",
        [open],
    );
    let said = case.since("@log.db", &[]).ends(1);
    assert!(
        said.first_line()
            .starts_with(&format!("verdict      broken at record {open} ")),
        "{said:?}"
    );
    // A record of one that is over is not read again; only without stored hashes its bytes are hashed.
    let _ = again();
    case.tamper();
    for (form, code) in [("@log.db", 3), ("@tiles", 3), ("@log.jsonl", 1)] {
        let said = case.since(form, &[]).ends(code);
        assert!(
            said.out.contains("were not verified again") == (code == 3),
            "{said:?}"
        );
        let _ = case.whole(form).ends(1);
    }
}

#[test]
fn a_checkpoint_of_another_history_is_not_gone_on_from() {
    let (case, request) = marked();
    let since = case.size();
    // Of another log.
    let (other, _) = marked();
    fs::copy(case.path("mark"), other.path("mark")).unwrap();
    let said = other.since("@log.db", &[]).ends(2);
    assert!(
        said.first_line()
            .contains("the checkpoint to go on from is of another log"),
        "{said:?}"
    );

    // Of a longer one, and of one that went on otherwise from a copy.
    let aside = tempfile::tempdir().unwrap();
    copy(case.folder.path(), aside.path());
    let world = case.open();
    runs(&world, read());
    world.close();
    fs::remove_file(case.path("mark")).unwrap();
    let _ = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--save-checkpoint",
        "@mark"
    )
    .ends(3);
    let mark = fs::read(case.path("mark")).unwrap();
    fs::remove_dir_all(case.folder.path()).unwrap();
    fs::create_dir(case.folder.path()).unwrap();
    copy(aside.path(), case.folder.path());
    fs::write(case.path("mark"), mark).unwrap();
    case.export();
    for form in FORMS {
        let said = case.since(form, &[]).ends(1);
        let broken = format!(
            "verdict      broken at record {since} (rule S7): the checkpoint to go on from covers records that are missing"
        );
        assert!(said.first_line().starts_with(&broken), "{said:?}");
    }
    let world = case.open();
    let _voted = world.approve("rita", request).unwrap();
    runs(&world, read());
    runs(&world, read());
    world.close();
    case.export();
    for form in FORMS {
        let said = case.since(form, &[]).ends(1);
        assert!(
            said.first_line()
                .contains("another head than the checkpoint to go on from"),
            "{said:?}"
        );
    }
}

#[test]
fn keys_that_changed_before_a_checkpoint_hold_after_it() {
    let case = Case::new();
    let rotate = |role: &str| {
        say!(
            case, "keys", "rotate", "@log.db", "--keys", "@keys", "--role", role
        )
    };
    for role in ["gate", "checkpoint", "desk"] {
        let _ = rotate(role).ends(0);
    }
    let _ = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--save-checkpoint",
        "@mark"
    )
    .ends(3);
    let world = case.open();
    let request = world.file(secret_payment());
    let _voted = world.approve("rita", request).unwrap();
    world.close();
    let _ = rotate("gate").ends(0);
    case.export();
    for form in FORMS {
        let _ = case.whole(form).ends(3);
        let said = case.since(form, &[]).ends(3);
        assert!(
            said.first_line()
                .starts_with("verdict      intact from record "),
            "{said:?}"
        );
    }
    // A change of keys is read again.
    let changed = case.last("key_rotated");
    let first = say!(case, "log", "@log.db", "--kind", "key_rotated").out;
    let first: i64 = first.split_whitespace().next().unwrap().parse().unwrap();
    assert!(first < changed);
    case.change(
        "UPDATE record SET statement = CAST(replace(statement, 'key_rotated', 'key_rotatee') AS BLOB) WHERE seq = ?1",
        [first],
    );
    let said = case.since("@log.db", &[]).ends(1);
    assert!(
        said.first_line()
            .starts_with(&format!("verdict      broken at record {first} ")),
        "{said:?}"
    );
}

#[test]
fn a_value_from_before_a_checkpoint_may_be_erased_after_it() {
    let (case, request) = marked();
    let world = case.open();
    block_on(world.gate().withdraw(request)).unwrap();
    world.close();
    fs::remove_file(case.path("mark")).unwrap();
    let _ = say!(
        case,
        "verify",
        "@log.db",
        "--keys",
        "@keys.txt",
        "--save-checkpoint",
        "@mark"
    )
    .ends(3);
    let since = case.size();
    fs::copy(case.path("log.db"), case.path("before.db")).unwrap();
    let world = case.open();
    let key = std::sync::Arc::clone(world.keys.signer(Role::Operator).unwrap());
    let operator = world.countersign.operator(key).unwrap();
    let basis = LegalBasis::new("gdpr_art_17_1_a").unwrap();
    let erasure = block_on(operator.erase(&Erase::Request(request), &basis, "asked")).unwrap();
    let by = erasure.records[0].get();
    drop(operator);
    world.close();
    case.export();
    for form in FORMS {
        let said = case.since(form, &[]).ends(3);
        let looked = format!(
            "values of records before {since} were erased since; those records were looked through for them"
        );
        assert!(said.out.contains(&looked), "{said:?}");
        let _ = case.whole(form).ends(3);
    }
    // What is said to be erased lies there still.
    let database = rusqlite::Connection::open(case.path("log.db")).unwrap();
    let before = case.path("before.db");
    let _ = database
        .execute("ATTACH DATABASE ?1 AS old", [before.to_str().unwrap()])
        .unwrap();
    let sql = "INSERT INTO disclosure SELECT * FROM old.disclosure WHERE place NOT IN (SELECT place FROM disclosure)";
    assert_ne!(database.execute(sql, []).unwrap(), 0);
    drop(database);
    let broken = format!("verdict      broken at record {by} (rule S13)");
    for said in [case.whole("@log.db"), case.since("@log.db", &[])] {
        let said = said.ends(1);
        assert!(said.first_line().starts_with(&broken), "{said:?}");
    }
}
