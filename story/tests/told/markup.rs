//! Reads pages as strictly as they are written: only tags and attributes of ours, every value
//! in quotes, every tag closed.

/// An element: its tag, its attributes, and all text within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub attrs: Vec<(String, String)>,
    pub text: String,
}

impl Element {
    pub fn attr(&self, name: &str) -> Option<&str> {
        let found = self.attrs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn has_class(&self, class: &str) -> bool {
        self.attr("class")
            .is_some_and(|all| all.split(' ').any(|one| one == class))
    }
}

const TAGS: &[&str] = &[
    "html",
    "head",
    "meta",
    "title",
    "link",
    "body",
    "a",
    "header",
    "p",
    "b",
    "span",
    "nav",
    "ul",
    "li",
    "main",
    "h1",
    "h2",
    "h3",
    "section",
    "article",
    "figure",
    "figcaption",
    "svg",
    "g",
    "path",
    "rect",
    "text",
    "div",
    "i",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "small",
    "form",
    "label",
    "input",
    "select",
    "option",
    "button",
    "footer",
    "dl",
    "dt",
    "dd",
    "code",
    "pre",
    "ol",
    "strong",
];

const VOID: &[&str] = &["meta", "link", "input"];

const ATTRS: &[&str] = &[
    "lang",
    "charset",
    "name",
    "content",
    "rel",
    "href",
    "class",
    "id",
    "role",
    "aria-label",
    "aria-labelledby",
    "aria-current",
    "aria-hidden",
    "aria-describedby",
    "viewBox",
    "preserveAspectRatio",
    "x",
    "y",
    "width",
    "height",
    "rx",
    "d",
    "scope",
    "colspan",
    "data-label",
    "action",
    "method",
    "for",
    "value",
    "selected",
    "type",
    "required",
    "placeholder",
    "autocomplete",
    "autocapitalize",
    "spellcheck",
];

/// Every element of a page, in the order in which they begin.
pub fn elements(page: &str) -> Vec<Element> {
    let rest = page.strip_prefix("<!doctype html>\n").unwrap();
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = rest;
    while let Some((text, behind)) = rest.split_once('<') {
        let text = decoded(text);
        for &at in &open {
            found[at].text.push_str(&text);
        }
        let (tag, after) = tag_end(behind);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let at = open.pop().unwrap();
            assert_eq!(found[at].name, name);
            let text = found[at].text.trim().to_owned();
            found[at].text = text;
            continue;
        }
        let element = element(tag);
        if !VOID.contains(&element.name.as_str()) {
            open.push(found.len());
        }
        found.push(element);
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(rest.trim(), "");
    found
}

/// Splits behind the `>` that ends a tag.
fn tag_end(text: &str) -> (&str, &str) {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return (&text[..at], &text[at + 1..]),
            '<' => panic!("`<` within a tag: {text:.80}"),
            _ => {}
        }
    }
    panic!("a tag does not end: {text:.80}");
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(TAGS.contains(&name), "<{name}> is no tag of ours");
    let mut attrs = Vec::new();
    while !rest.is_empty() {
        let (attr, behind) = rest.split_once("=\"").unwrap();
        let (value, behind) = behind.split_once('"').unwrap();
        assert!(ATTRS.contains(&attr), "{attr} is no attribute of ours");
        attrs.push((attr.to_owned(), decoded(value)));
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    let (name, text) = (name.to_owned(), String::new());
    Element { name, attrs, text }
}

/// Text without references; there are five, and an `&` begins nothing else.
fn decoded(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = behind.split_once(';').unwrap();
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("&{other}; is no reference of ours"),
        });
        rest = after;
    }
    assert!(!rest.contains('>') && !rest.contains('"'), "{rest:.80}");
    plain + rest
}
