//! Where in a file a value is, so that a problem can point at it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A position in the parsed file, reached key by key. A step to something that the file leaves out stays where it is:
/// a problem with a default points at the table that could hold the value.
#[derive(Clone, Debug)]
pub(super) struct Place<'d> {
    value: Node<'d>,
    span: Option<Range<usize>>,
}

#[derive(Clone, Copy, Debug)]
enum Node<'d> {
    Table(&'d DeTable<'d>),
    Value(&'d DeValue<'d>),
    LeftOut,
}

impl<'d> Place<'d> {
    pub(super) fn root(file: &'d DeTable<'d>) -> Self {
        Self { value: Node::Table(file), span: None }
    }

    /// The value of a key; of a table, the key itself.
    pub(super) fn key(&self, name: &str) -> Self {
        let table = match self.value {
            Node::Table(table) => Some(table),
            Node::Value(value) => value.as_table(),
            Node::LeftOut => None,
        };
        let Some((key, value)) = table.and_then(|table| table.get_key_value(name)) else {
            return Self { value: Node::LeftOut, span: self.span.clone() };
        };
        let scalar = !value.get_ref().is_table() && !value.get_ref().is_array();
        let span = if scalar { value.span() } else { key.span() };
        Self { value: Node::Value(value.get_ref()), span: Some(span) }
    }

    /// An element of an array.
    pub(super) fn index(&self, index: usize) -> Self {
        let array = match self.value {
            Node::Value(value) => value.as_array(),
            Node::Table(_) | Node::LeftOut => None,
        };
        match array.and_then(|array| array.get(index)) {
            Some(element) => Self { value: Node::Value(element.get_ref()), span: Some(Spanned::span(element)) },
            None => Self { value: Node::LeftOut, span: self.span.clone() },
        }
    }

    /// In bytes; `None` is the file as a whole.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}
