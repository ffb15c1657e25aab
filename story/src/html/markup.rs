//! HTML as it grows. Nothing gets in unescaped: there is no way to add text that is markup.

use crate::escape;

/// An attribute; its value is escaped.
pub(crate) type Attr<'a> = (&'static str, &'a str);

/// A piece of HTML. Names of tags and attributes are ours, every text and value is escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

impl Html {
    /// A whole document around a root element.
    pub(crate) fn document(self) -> String {
        format!("<!doctype html>\n{}\n", self.0)
    }

    /// An element with what `inside` adds to it.
    pub(crate) fn tag(
        &mut self,
        name: &'static str,
        attrs: &[Attr],
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(name, attrs);
        inside(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        if BLOCKS.contains(&name) {
            self.0.push('\n');
        }
    }

    /// An element with a text and nothing else.
    pub(crate) fn leaf(&mut self, name: &'static str, attrs: &[Attr], text: &str) {
        self.tag(name, attrs, |html| html.text(text));
    }

    /// An element that has no end tag.
    pub(crate) fn void(&mut self, name: &'static str, attrs: &[Attr]) {
        self.open(name, attrs);
    }

    /// Text.
    pub(crate) fn text(&mut self, text: &str) {
        escape::html(text, &mut self.0);
    }

    /// A sentence; what stands between backticks in it is code.
    pub(crate) fn sentence(&mut self, text: &str) {
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('`') {
            let Some((code, after)) = behind.split_once('`') else {
                break;
            };
            self.text(before);
            self.leaf("code", &[], code);
            rest = after;
        }
        self.text(rest);
    }

    fn open(&mut self, name: &'static str, attrs: &[Attr]) {
        self.0.push('<');
        self.0.push_str(name);
        for (attr, value) in attrs {
            self.0.push(' ');
            self.0.push_str(attr);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
    }
}

/// Elements behind which a line ends, so that the source can be read.
const BLOCKS: &[&str] = &[
    "head", "title", "header", "nav", "main", "section", "footer", "form", "p", "h1", "h2", "h3",
    "li", "ul", "ol", "tr", "tbody", "thead", "table", "svg", "dl", "div", "g",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(add: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        add(&mut html);
        html.0
    }

    #[test]
    fn text_and_values_are_escaped_wherever_they_go() {
        let text = "<b title='x\"'>&\u{202e}\n";
        let safe = "&lt;b title=&#39;x&quot;&#39;&gt;&amp;\\u{202e}\\n";
        assert_eq!(of(|html| html.text(text)), safe);
        assert_eq!(
            of(|html| html.leaf("i", &[("title", text)], text)),
            format!("<i title=\"{safe}\">{safe}</i>")
        );
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let said = of(|html| html.sentence("run `ss -t <x>` and `y"));
        assert_eq!(said, "run <code>ss -t &lt;x&gt;</code> and `y");
    }
}
