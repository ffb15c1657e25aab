//! Files of Kubernetes objects, YAML or JSON, to [`Objects`].
//!
//! Reading never fails as a whole: what is wrong in one object becomes a [`Problem`], and all
//! the others are read. Kinds we do not use are left out without a word.

mod check;
mod de;
mod split;
mod tree;
mod yaml;

use std::fmt;

use serde::de::DeserializeOwned;

use self::split::Document;
use self::tree::{Tree, Value};
use crate::api::Objects;

/// Something in a file that could not be read. Only the object it is in is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the caller named it.
    pub file: String,
    /// The line in the file, from 1.
    pub line: usize,
    /// `Service shop/web` and the like; empty where the object is not known.
    pub object: String,
    /// The field, such as `spec.ports[0].nodePort`; empty for the object as a whole.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        for place in [&self.object, &self.field] {
            if !place.is_empty() {
                write!(f, "{place}: ")?;
            }
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for Problem {}

/// Reads one file: documents separated by `---` lines, each an object or a list of objects.
///
/// `file_name` only serves to name problems. A syntax error costs the document it is in, a
/// wrong field the object it is in. Where the file has an object twice, both are returned.
pub fn parse(file_name: &str, text: &str) -> (Objects, Vec<Problem>) {
    let mut reading = Reading {
        file: file_name,
        objects: Objects::default(),
        problems: Vec::new(),
    };
    for document in split::documents(text) {
        reading.document(&document);
    }
    (reading.objects, reading.problems)
}

/// A file half read.
struct Reading<'a> {
    file: &'a str,
    objects: Objects,
    problems: Vec<Problem>,
}

/// What kind of object a tree is.
#[derive(Clone, Copy)]
struct Kind<'a> {
    version: &'a str,
    kind: &'a str,
}

impl Reading<'_> {
    fn document(&mut self, document: &Document<'_>) {
        match yaml::parse(document) {
            Ok(tree) => self.object(&tree, None),
            Err(error) => self.report(String::new(), error.line, String::new(), error.why),
        }
    }

    /// Reads an object or a list. `listed` is what the list says of its items: the items of a
    /// `ServiceList` need not repeat their kind.
    fn object(&mut self, tree: &Tree, listed: Option<Kind<'_>>) {
        if matches!(tree.value, Value::Null) {
            return;
        }
        let Value::Map(_) = tree.value else {
            let why = "not a Kubernetes object, which has `apiVersion` and `kind`";
            return self.report(String::new(), tree.line, String::new(), why.to_owned());
        };
        let version = tree.text("apiVersion").or(listed.map(|list| list.version));
        let kind = tree.text("kind").or(listed.map(|list| list.kind));
        match (version, kind) {
            (Some(version), Some(kind)) => self.known(tree, Kind { version, kind }),
            (Some(_), None) => self.nameless(tree),
            // Files of other programs, such as a chart's values.
            (None, _) => {}
        }
    }

    /// kubectl sorts fields by name, so a list that is cut off has lost its `kind`.
    fn nameless(&mut self, tree: &Tree) {
        let why = "no `kind`; is the file whole?".to_owned();
        self.report(String::new(), tree.line, String::new(), why);
        self.items(tree, None);
    }

    fn known(&mut self, tree: &Tree, kind: Kind<'_>) {
        match (kind.version, kind.kind) {
            ("v1", "List") => self.items(tree, None),
            ("v1", "Service") => {
                let service = self.checked(tree, kind, check::service);
                self.objects.services.extend(service);
            }
            ("discovery.k8s.io/v1" | "discovery.k8s.io/v1beta1", "EndpointSlice") => {
                let slice = self.checked(tree, kind, check::slice);
                self.objects.slices.extend(slice);
            }
            ("v1", "Node") => {
                let node = self.read(tree, kind);
                self.objects.nodes.extend(node);
            }
            ("v1", "Pod") => {
                let pod = self.read(tree, kind);
                self.objects.pods.extend(pod);
            }
            ("v1", "Namespace") => {
                let namespace = self.read(tree, kind);
                self.objects.namespaces.extend(namespace);
            }
            (version, list) => {
                if let Some(kind) = list.strip_suffix("List") {
                    self.items(tree, Some(Kind { version, kind }));
                }
            }
        }
    }

    fn items(&mut self, tree: &Tree, listed: Option<Kind<'_>>) {
        if let Some(Value::List(items)) = tree.get("items").map(|items| &items.value) {
            for item in items {
                self.object(item, listed);
            }
        }
    }

    fn read<T: DeserializeOwned>(&mut self, tree: &Tree, kind: Kind<'_>) -> Option<T> {
        let read = T::deserialize(tree);
        read.map_err(|error| {
            let (line, field) = (error.line_in(tree), error.field());
            self.report(name_of(tree, kind), line, field, error.why);
        })
        .ok()
    }

    /// Reads an object and what no type can check.
    fn checked<T: DeserializeOwned>(
        &mut self,
        tree: &Tree,
        kind: Kind<'_>,
        check: fn(&T) -> Result<(), check::Wrong>,
    ) -> Option<T> {
        let object: T = self.read(tree, kind)?;
        let Err(wrong) = check(&object) else {
            return Some(object);
        };
        let line = tree.line_of(&wrong.place);
        let field = de::field(&wrong.place);
        self.report(name_of(tree, kind), line, field, wrong.why);
        None
    }

    fn report(&mut self, object: String, line: usize, field: String, why: String) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            object,
            field,
            why,
        });
    }
}

/// `Service shop/web`, as far as the object says.
fn name_of(tree: &Tree, kind: Kind<'_>) -> String {
    let meta = |key| tree.get("metadata").and_then(|meta| meta.text(key));
    let kind = kind.kind;
    match (meta("namespace"), meta("name")) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        (_, None) => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests;
