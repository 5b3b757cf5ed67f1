use std::{collections::BTreeSet, fmt, io::Write as _};

use super::{hidden::Clarity, names::Label, sealer::SD, walk::Ink};
use crate::canonical::{Json, write_string};

/// Canonical bytes that are written without a tree in between.
///
/// INVARIANT: whoever writes an object sets its members in canonical order, `_sd` apart, which
/// [`close`](Sheet::close) puts first: `_` stands before every name of the bound form.
pub(super) struct Sheet<'i, I> {
    pub(super) out: Vec<u8>,
    pub(super) ink: &'i mut I,
}

/// An object that was opened and not yet closed.
pub(super) struct Node<C> {
    /// Where its members begin.
    start: usize,
    cover: C,
}

impl<I: Ink> Sheet<'_, I> {
    pub(super) fn open(&mut self) -> Node<I::Cover> {
        self.out.push(b'{');
        Node {
            start: self.out.len(),
            cover: I::Cover::default(),
        }
    }

    pub(super) fn close(&mut self, node: Node<I::Cover>) {
        if let Some(covered) = I::covered(node.cover) {
            let more = self.out.len() > node.start;
            let mut member = Vec::with_capacity(covered.len() + 8);
            write_string(&mut member, SD);
            member.push(b':');
            member.extend(covered);
            if more {
                member.push(b',');
            }
            self.out.splice(node.start..node.start, member);
        }
        self.out.push(b'}');
    }

    /// Begins a member; its value is written next.
    pub(super) fn name(&mut self, node: &Node<I::Cover>, name: &str) {
        if self.out.len() > node.start {
            self.out.push(b',');
        }
        write_string(&mut self.out, name);
        self.out.push(b':');
    }

    pub(super) fn text(&mut self, node: &Node<I::Cover>, name: &str, text: &str) {
        self.name(node, name);
        write_string(&mut self.out, text);
    }

    /// A text that needs no escapes, such as an id or a digest.
    pub(super) fn display(&mut self, node: &Node<I::Cover>, name: &str, id: &impl fmt::Display) {
        self.name(node, name);
        // Writing to a vector does not fail.
        let written = write!(self.out, "\"{id}\"");
        debug_assert!(written.is_ok());
    }

    pub(super) fn integer(&mut self, node: &Node<I::Cover>, name: &str, integer: u32) {
        self.name(node, name);
        let written = write!(self.out, "{integer}");
        debug_assert!(written.is_ok());
    }

    /// Labels in their order.
    pub(super) fn labels(&mut self, node: &Node<I::Cover>, labels: &BTreeSet<Label>) {
        self.name(node, "labels");
        self.out.push(b'[');
        for (index, label) in labels.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_string(&mut self.out, label.as_str());
        }
        self.out.push(b']');
    }

    pub(super) fn list<T>(
        &mut self,
        node: &Node<I::Cover>,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(T, &mut Self) -> Result<(), I::Error>,
    ) -> Result<(), I::Error> {
        self.name(node, name);
        self.out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            each(item, self)?;
        }
        self.out.push(b']');
        Ok(())
    }

    pub(super) fn hide(
        &mut self,
        node: &mut Node<I::Cover>,
        name: &str,
        value: &(impl Canonical + ?Sized),
    ) -> Result<(), I::Error> {
        self.ink.hide(&mut node.cover, name, value)
    }

    /// A text in the clear or hidden.
    pub(super) fn put(
        &mut self,
        node: &mut Node<I::Cover>,
        name: &str,
        text: &str,
        clarity: Clarity,
    ) -> Result<(), I::Error> {
        match clarity {
            Clarity::Clear => {
                self.text(node, name, text);
                Ok(())
            }
            Clarity::Hidden => self.hide(node, name, text),
        }
    }
}

/// What has canonical bytes.
pub(super) trait Canonical {
    fn write_to(&self, out: &mut Vec<u8>);
}

impl Canonical for Json {
    fn write_to(&self, out: &mut Vec<u8>) {
        self.write_canonical(out);
    }
}

impl Canonical for str {
    fn write_to(&self, out: &mut Vec<u8>) {
        write_string(out, self);
    }
}
