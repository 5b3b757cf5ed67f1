//! Reads this crate's own sources as tokens, for the tests that hold its shape.
//!
//! Comments, strings and character literals never look like code here: they are dropped or become [`Token::Literal`] before anything is searched.

use std::fs;
use std::path::{Path, PathBuf};

/// A piece of Rust code, as coarse as the checks need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An identifier or keyword; `r#name` is `name`.
    Word(String),
    /// A string, character or number.
    Literal,
    /// `::`
    PathSep,
    /// Any other character.
    Mark(char),
}

/// A token and the line it stands on, counted from 1.
#[derive(Clone, Debug)]
pub struct Placed {
    pub token: Token,
    pub line: usize,
}

impl Placed {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(found) if found == word)
    }

    pub fn is_mark(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }

    pub fn word(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The tokens of a Rust source file.
pub fn tokens(source: &str) -> Vec<Placed> {
    let mut reader = Reader {
        chars: source.chars().collect(),
        at: 0,
        line: 1,
    };
    let mut found = Vec::new();
    while let Some(c) = reader.peek(0) {
        let line = reader.line;
        if let Some(token) = reader.next_token(c) {
            found.push(Placed { token, line });
        }
    }
    found
}

/// Where the bracket that opens at `open` closes, or the last token if it never does.
pub fn closing(tokens: &[Placed], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, placed) in tokens.iter().enumerate().skip(open) {
        match placed.token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    tokens.len().saturating_sub(1)
}

/// Every `.rs` file below `folder` of this package, as its path from the package's root and its text.
pub fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join(folder), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file is readable text");
            let name = path.strip_prefix(root).expect("it lies in the package");
            (name.to_string_lossy().replace('\\', "/"), text)
        })
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a folder's entry is readable").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek(0) == Some('\n') {
                self.line += 1;
            }
            self.at += 1;
        }
    }

    fn next_token(&mut self, c: char) -> Option<Token> {
        match (c, self.peek(1)) {
            ('/', Some('/')) => {
                self.advance_while(|c| c != '\n');
                None
            }
            ('/', Some('*')) => {
                self.block_comment();
                None
            }
            ('"', _) => Some(self.string()),
            ('\'', next) => self.quote(next),
            (':', Some(':')) => {
                self.advance(2);
                Some(Token::PathSep)
            }
            (c, _) if c.is_ascii_digit() => Some(self.number()),
            (c, _) if begins_word(c) => Some(self.word()),
            (c, _) => {
                self.advance(1);
                (!c.is_whitespace()).then_some(Token::Mark(c))
            }
        }
    }

    fn advance_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek(0).filter(|&c| wanted(c)) {
            taken.push(c);
            self.advance(1);
        }
        taken
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.advance(2);
                }
                ('*', Some('/')) => {
                    depth -= 1;
                    self.advance(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.advance(1),
            }
        }
    }

    /// A string whose opening quote is next; its escapes count, its text does not.
    fn string(&mut self) -> Token {
        self.advance(1);
        while let Some(c) = self.peek(0) {
            match c {
                '\\' => self.advance(2),
                '"' => {
                    self.advance(1);
                    break;
                }
                _ => self.advance(1),
            }
        }
        Token::Literal
    }

    /// A raw string whose `#`s or quote are next.
    fn raw_string(&mut self) -> Token {
        let hashes = self.advance_while(|c| c == '#').len();
        self.advance(1);
        while let Some(c) = self.peek(0) {
            self.advance(1);
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.advance(hashes);
                break;
            }
        }
        Token::Literal
    }

    /// A character literal, or a lifetime, which is dropped.
    fn quote(&mut self, next: Option<char>) -> Option<Token> {
        if next == Some('\\') {
            self.advance(3);
            self.advance_while(|c| c != '\'');
            self.advance(1);
            return Some(Token::Literal);
        }
        if self.peek(2) == Some('\'') {
            self.advance(3);
            return Some(Token::Literal);
        }
        self.advance(1);
        self.advance_while(continues_word);
        None
    }

    fn number(&mut self) -> Token {
        self.advance_while(continues_word);
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            self.advance(1);
            self.advance_while(continues_word);
        }
        Token::Literal
    }

    /// An identifier, unless it turns out to be the prefix of a literal such as `br#"…"#`.
    fn word(&mut self) -> Token {
        let word = self.advance_while(continues_word);
        match (word.as_str(), self.peek(0), self.peek(1)) {
            ("r" | "br" | "cr", Some('"'), _) => self.raw_string(),
            ("r" | "br" | "cr", Some('#'), Some('"' | '#')) => self.raw_string(),
            ("r", Some('#'), Some(_)) => {
                self.advance(1);
                Token::Word(self.advance_while(continues_word))
            }
            ("b" | "c", Some('"'), _) => self.string(),
            ("b", Some('\''), next) => self.quote(next).unwrap_or(Token::Literal),
            _ => Token::Word(word),
        }
    }
}

fn begins_word(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn continues_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
