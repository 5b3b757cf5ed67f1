#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

//! A real pseudoterminal: the test is the person at its other end.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use futures::executor::block_on;
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};

use super::{
    Answers, LIMITS, Terminal, TerminalError,
    dialogue::{Dialogue, Reply, alphabet},
    tty::{Tty, Typed},
};
use crate::{
    action::RequestId,
    clock::Timestamp,
    notify::{
        Answer, Card, Choice, DeliveryError, Denial, Notice, NoticeId, Notifier as _, Responder,
        Said, Settled, Settlement, ToReview,
        card::tests::{Parts, hostile_texts, request, sample, sample_with},
        columns::width,
    },
    policy::{MustSupply, Supply},
};

/// How long a test waits before it fails; it never waits so long when it passes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The end of a pseudoterminal that the person has.
struct Screen {
    keyboard: File,
    shown: mpsc::Receiver<Vec<u8>>,
    captured: Vec<u8>,
    device: PathBuf,
    /// Holds the device open, so that the screen does not end between two uses.
    device_end: File,
}

/// The person's end of a new pseudoterminal, and the path of the other.
fn pseudoterminal(columns: u16) -> (File, PathBuf) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&person, size).unwrap();
    let device = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    (File::from(person), PathBuf::from(device))
}

impl Screen {
    fn open(columns: u16) -> Self {
        let (keyboard, device) = pseudoterminal(columns);
        let flags =
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let device_end =
            File::from(rustix::fs::open(&device, flags, rustix::fs::Mode::empty()).unwrap());
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = screen.read(&mut buffer) {
                if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard,
            shown,
            captured: Vec::new(),
            device,
            device_end,
        }
    }

    fn keys(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until this text was shown after all that earlier calls waited for, and returns what was shown up to it.
    fn wait_for(&mut self, text: &str) -> String {
        let text = text.as_bytes();
        loop {
            if let Some(at) = self
                .captured
                .windows(text.len())
                .position(|window| window == text)
            {
                let shown: Vec<u8> = self.captured.drain(..at + text.len()).collect();
                return String::from_utf8(shown).unwrap();
            }
            self.captured.extend(
                self.shown
                    .recv_timeout(PATIENCE)
                    .expect("the text is not shown"),
            );
        }
    }
}

/// Answers for one reviewer per card, and keeps what it was told.
#[derive(Debug)]
struct Desk {
    to_review: Mutex<Vec<ToReview>>,
    told: mpsc::Sender<Answer>,
    replies: Mutex<Vec<Result<String, String>>>,
}

#[async_trait]
impl Responder for Desk {
    async fn review(&self, _: RequestId) -> Option<ToReview> {
        self.to_review.lock().unwrap().pop()
    }

    async fn answer(&self, answer: Answer) -> Result<String, String> {
        self.told.send(answer).unwrap();
        self.replies
            .lock()
            .unwrap()
            .pop()
            .unwrap_or_else(|| Ok("recorded".to_owned()))
    }
}

struct Session {
    screen: Screen,
    terminal: Terminal,
    desk: Arc<Desk>,
    answers: Option<Answers>,
    told: mpsc::Receiver<Answer>,
    denial: Denial,
}

impl Session {
    fn open(columns: u16) -> Self {
        let screen = Screen::open(columns);
        let (terminal, answers) = Terminal::open_at(&screen.device).unwrap();
        let (told, receiver) = mpsc::channel();
        let desk = Desk {
            to_review: Mutex::default(),
            told,
            replies: Mutex::default(),
        };
        Self {
            screen,
            terminal,
            desk: Arc::new(desk),
            answers: Some(answers),
            told: receiver,
            denial: Denial::Denies,
        }
    }

    /// Gives the terminal one card to ask about, and starts it if it was not started.
    fn ask(&mut self, card: Card) {
        self.ask_all(vec![card]);
    }

    fn ask_all(&mut self, mut cards: Vec<Card>) {
        let notice = Notice::Ask {
            id: NoticeId::new("n").unwrap(),
            card: cards[0].clone(),
        };
        cards.reverse();
        let to_review = cards.into_iter().map(|card| ToReview {
            reviewer: "demo/rita".to_owned(),
            card,
            denial: self.denial,
        });
        self.desk.to_review.lock().unwrap().extend(to_review);
        block_on(self.terminal.deliver(&notice, None)).unwrap();
        if let Some(answers) = self.answers.take() {
            answers.serve(Arc::clone(&self.desk));
        }
    }

    fn prompt(&mut self) -> String {
        self.screen.wait_for("\r\n> ")
    }

    fn told(&self) -> Answer {
        self.told
            .recv_timeout(PATIENCE)
            .expect("no answer was told")
    }

    fn nothing_told(&self) {
        assert!(self.told.try_recv().is_err());
    }
}

fn approval(card: &Card) -> Vec<u8> {
    format!("approve {}\n", card.digest().short()).into_bytes()
}

#[test]
fn channels_30_no_value_reaches_the_terminal_as_control() {
    let mut session = Session::open(80);
    let cards: Vec<_> = hostile_texts()
        .iter()
        .map(|text| sample_with("note", text))
        .collect();
    let count = cards.len();
    session.ask_all(cards);
    for _ in 0..count {
        let shown = session.prompt();
        let raw: Vec<_> = shown
            .chars()
            .filter(|c| c.is_control() && !matches!(c, '\r' | '\n'))
            .collect();
        assert!(raw.is_empty(), "{raw:?} in {shown:?}");
        // Returns stand only before ends of lines, where the terminal itself puts them.
        assert!(!shown.replace("\r\n", "").contains('\r'), "{shown:?}");
        session.screen.keys(b"deny\n");
        assert_eq!(session.told().choice, Choice::Deny);
        session.screen.wait_for("recorded\r\n");
    }
}

#[test]
fn channels_31_what_was_typed_before_the_prompt_is_not_an_answer() {
    let mut session = Session::open(80);
    let card = sample();
    // All of it was typed before there was anything to read, also by somebody who could guess the digest.
    session.screen.keys(b"y\n");
    session.screen.keys(&approval(&card));
    session.screen.keys(b"deny\n");
    session.screen.wait_for("deny\r\n");
    session.ask(card.clone());
    session.prompt();
    session.nothing_told();
    session.screen.keys(&approval(&card));
    assert_eq!(session.told().choice, Choice::Approve);
}

#[test]
fn channels_32_the_question_is_on_the_terminal_that_was_opened() {
    let mut session = Session::open(80);
    session.ask(sample());
    let shown = session.prompt();
    assert!(shown.contains("| action: db.export\r\n"), "{shown}");
    assert!(shown.contains("demo/rita is asked"), "{shown}");
}

#[test]
fn the_prompt_says_what_a_denial_does() {
    for (denial, says) in [
        (Denial::Denies, "an empty line denies"),
        (Denial::CallsOff, "call the request off"),
    ] {
        let mut session = Session::open(160);
        session.denial = denial;
        session.ask(sample());
        let shown = session.prompt();
        assert!(shown.contains(says), "{shown}");
        assert_eq!(
            shown.contains("denies"),
            denial == Denial::Denies,
            "{shown}"
        );
    }
}

#[test]
fn channels_33_without_a_terminal_there_is_an_error_and_no_answer() {
    assert!(matches!(
        Terminal::open_at("/nonexistent/tty"),
        Err(TerminalError::NoTerminal(_))
    ));
    assert!(matches!(
        Terminal::open_at("/dev/null"),
        Err(TerminalError::NotATerminal)
    ));
}

#[test]
fn channels_34_an_interrupt_an_end_and_an_empty_line_deny() {
    for keys in [&b"\n"[..], b"   \n", b"\x04", b"\x03", b"approve\x03"] {
        let mut session = Session::open(80);
        session.ask(sample());
        session.prompt();
        session.screen.keys(keys);
        let answer = session.told();
        assert_eq!(
            (answer.choice, answer.said),
            (Choice::Deny, Said::Nothing),
            "{keys:?}"
        );
        assert_eq!(answer.comment, None);
    }
}

#[test]
fn channels_35_a_narrow_screen_shows_wide_characters_within_its_edge() {
    let text = "世界の全てのデータ👩👩👩👩👩👩👩👩 e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}";
    let mut session = Session::open(20);
    session.ask(sample_with("note", text));
    let shown = session.prompt();
    for line in shown.lines() {
        assert!(width(line) <= 20, "{line:?}");
    }
    let joined = shown.replace("\r\n|> ", "");
    assert!(
        joined.contains("世界の全てのデータ👩👩👩👩👩👩👩👩"),
        "{shown}"
    );
}

#[test]
fn channels_36_nothing_but_text_is_written_and_a_dumb_terminal_gets_ascii() {
    for term in ["xterm-256color", "dumb"] {
        let variables = |name: &str| match name {
            "TERM" => Some(term.to_owned()),
            "COLORTERM" => Some("truecolor".to_owned()),
            "LANG" => Some("ja_JP.UTF-8".to_owned()),
            _ => None,
        };
        let mut screen = Screen::open(80);
        let tty = Tty::open(&screen.device).unwrap();
        let mut dialogue = Dialogue::at(tty, LIMITS, alphabet(variables));
        let asking = thread::spawn(move || {
            let to_review = ToReview {
                reviewer: "demo/ユキ".to_owned(),
                card: sample_with("名前", "世界"),
                denial: Denial::Denies,
            };
            dialogue.ask(&to_review).unwrap()
        });
        // Neither has a colour that NO_COLOR would have to switch off.
        let shown = screen.wait_for("\r\n> ");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert_eq!(shown.is_ascii(), term == "dumb", "{shown}");
        assert!(shown.contains("\\u4e16\\u754c"), "{shown}");
        screen.keys(b"later\n");
        assert_eq!(asking.join().unwrap(), Reply::Later);
    }
}

#[test]
fn channels_37_an_approval_repeats_the_digest_on_the_screen() {
    let mut session = Session::open(80);
    let card = sample();
    let digest = card.digest().to_string();
    session.ask(card.clone());
    let shown = session.prompt();
    assert!(
        shown.contains(&format!("approve {}", card.digest().short())),
        "{shown}"
    );
    let wrong = if digest.starts_with("000000") {
        "111111"
    } else {
        "000000"
    };
    for typed in [
        "y".to_owned(),
        "yes".to_owned(),
        "ok".to_owned(),
        "approve".to_owned(),
        "APPROVE".to_owned(),
        "approved".to_owned(),
        "not approve".to_owned(),
        "deny-not".to_owned(),
        format!("approve {wrong}"),
        format!("approve {}", &digest[..5]),
        format!("approve {} please", &digest[..6]),
        format!("Approve {}", &digest[..6]),
        digest[..6].to_owned(),
    ] {
        session.screen.keys(format!("{typed}\n").as_bytes());
        session.screen.wait_for("nothing was decided");
        session.prompt();
        session.nothing_told();
    }
    session.screen.keys(&approval(&card));
    let answer = session.told();
    assert_eq!(
        (answer.choice, answer.said),
        (Choice::Approve, Said::InWords)
    );
    assert_eq!(answer.card, card);
    session.screen.wait_for("recorded\r\n");
}

#[test]
fn a_denial_carries_its_words_as_a_comment() {
    let mut session = Session::open(80);
    session.ask(sample());
    session.prompt();
    session
        .screen
        .keys("deny  approve it later, zu groß\n".as_bytes());
    let answer = session.told();
    assert_eq!((answer.choice, answer.said), (Choice::Deny, Said::InWords));
    assert_eq!(answer.comment.as_deref(), Some("approve it later, zu groß"));
}

#[test]
fn an_approval_without_the_reason_that_is_wanted_is_none() {
    let mut parts = Parts::of(crate::action::Action::named("db.export").build().unwrap());
    parts.requirement.must_supply = MustSupply {
        reason: Supply::Required,
        ticket: Supply::Required,
    };
    let card = parts.card();
    let mut session = Session::open(80);
    session.ask(card.clone());
    session.prompt();
    session.screen.keys(&approval(&card));
    session.screen.wait_for("reason> ");
    session.screen.keys(b"  \n");
    session.screen.wait_for("not approved without it");
    session.prompt();
    session.nothing_told();
    session.screen.keys(&approval(&card));
    session.screen.wait_for("reason> ");
    session.screen.keys(b" checked the rows \n");
    session.screen.wait_for("ticket> ");
    session.screen.keys(b"OPS-7\n");
    let answer = session.told();
    assert_eq!(answer.choice, Choice::Approve);
    assert_eq!(answer.comment.as_deref(), Some("checked the rows"));
    assert_eq!(answer.ticket.as_deref(), Some("OPS-7"));
}

#[test]
fn a_card_that_is_too_long_can_only_be_denied() {
    let card = sample_with("note", &"x".repeat(9000));
    let mut session = Session::open(80);
    session.ask(card.clone());
    let shown = session.prompt();
    assert!(!shown.contains("type approve"), "{shown}");
    session.screen.keys(&approval(&card));
    session.screen.wait_for("cannot be approved here");
    session.prompt();
    session.nothing_told();
    session.screen.keys(b"deny\n");
    assert_eq!(session.told().choice, Choice::Deny);
}

#[test]
fn a_wrong_digest_is_named_escaped_and_cut() {
    let mut session = Session::open(120);
    session.ask(sample());
    session.prompt();
    session
        .screen
        .keys("approve zz\u{202e}4567890123456\n".as_bytes());
    session
        .screen
        .wait_for("nothing was decided: zz\\u202e456789012 is not the digest on the screen");
    session.prompt();
    session.nothing_told();
}

#[test]
fn later_decides_nothing_and_the_next_request_is_asked() {
    let mut session = Session::open(80);
    session.ask(sample());
    session.prompt();
    session.screen.keys(b"later\n");
    let next = sample_with("a", "the next one");
    session.ask(next);
    assert!(session.prompt().contains("the next one"));
    session.nothing_told();
}

#[test]
fn a_refused_answer_is_said_and_the_next_reviewer_is_asked() {
    let mut session = Session::open(80);
    let refusal = "demo/rita may not approve this:\u{1b}[2J she controls the agent";
    session
        .desk
        .replies
        .lock()
        .unwrap()
        .push(Err(refusal.to_owned()));
    session.ask_all(vec![sample(), sample()]);
    session.prompt();
    session.screen.keys(&approval(&sample()));
    session.told();
    let shown = session.prompt();
    assert!(
        shown.contains(r"demo/rita may not approve this:\u001b[2J she controls the agent"),
        "{shown}"
    );
}

#[test]
fn what_became_of_a_request_is_said_where_it_was_asked() {
    let mut session = Session::open(80);
    session.ask(sample());
    session.prompt();
    session.screen.keys(b"later\n");
    let settled = |card: Card| Notice::Settle {
        id: NoticeId::new("s").unwrap(),
        settlement: Settlement {
            what: Settled::Expired,
            at: Timestamp::EPOCH,
            card,
        },
    };
    block_on(session.terminal.deliver(&settled(sample()), None)).unwrap();
    let shown = session.screen.wait_for("nobody denied it");
    assert!(shown.contains(&request().to_string()), "{shown}");
}

#[test]
fn the_mode_that_the_host_left_comes_back() {
    let mut screen = Screen::open(80);
    let mut raw = tcgetattr(&screen.device_end).unwrap();
    raw.local_modes
        .remove(LocalModes::ECHO | LocalModes::ICANON);
    tcsetattr(&screen.device_end, OptionalActions::Now, &raw).unwrap();
    let before = tcgetattr(&screen.device_end).unwrap();

    let tty = Tty::open(&screen.device).unwrap();
    let asking = thread::spawn(move || {
        tty.write("a question\n").unwrap();
        tty.prompt("> ").unwrap()
    });
    screen.wait_for("> ");
    let during = tcgetattr(&screen.device_end).unwrap();
    assert!(during.local_modes.contains(LocalModes::ICANON));
    screen.keys(b"an answer\n");
    assert_eq!(asking.join().unwrap(), Typed::Line("an answer".to_owned()));
    let after = tcgetattr(&screen.device_end).unwrap();
    assert_eq!(after.local_modes, before.local_modes);
    assert_eq!(after.input_modes, before.input_modes);
    assert_eq!(after.output_modes, before.output_modes);
}

#[test]
fn a_terminal_that_is_gone_decides_nothing() {
    let (mut person, device) = pseudoterminal(80);
    let tty = Tty::open(&device).unwrap();
    let asking = thread::spawn(move || tty.prompt("> "));
    person.read_exact(&mut [0; 2]).unwrap();
    drop(person);
    assert!(asking.join().unwrap().is_err());
}

#[test]
fn without_anybody_to_answer_to_the_channel_says_so() {
    let screen = Screen::open(80);
    let (terminal, answers) = Terminal::open_at(&screen.device).unwrap();
    drop(answers);
    let notice = Notice::Ask {
        id: NoticeId::new("n").unwrap(),
        card: sample(),
    };
    // The thread ends on its own time; until then the queue takes notices that nobody will be asked about.
    let refused = std::iter::repeat_with(|| block_on(terminal.deliver(&notice, None)))
        .find_map(Result::err)
        .unwrap();
    assert!(matches!(
        refused,
        DeliveryError::Never {
            code: "terminal_gone"
        } | DeliveryError::Later { .. }
    ));
}
