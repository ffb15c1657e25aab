//! Text from elsewhere, made safe for where it goes.
//!
//! Process names, comments and chain names are chosen by others: they may hold control
//! sequences or turn the reading direction around.

use std::fmt::Write as _;

/// `text` with everything that moves a cursor, changes colors or hides letters spelled out,
/// for one line of a terminal.
pub fn terminal(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// `text` for a page, as an element's text or as an attribute's value between quotes: no
/// markup, and what [`terminal`] spells out spelled out as well, since a browser also turns
/// text around and hides letters.
pub(crate) fn html(text: &str, into: &mut String) {
    for c in terminal(text).chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            c => into.push(c),
        }
    }
}

/// `text` as the value in the query of an address: every byte but letters, digits and `-._~`
/// as `%` and two digits.
pub fn query(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => safe.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => safe.push(char::from(byte)),
            byte => {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
    }
    safe
}

/// `text` as one word of a POSIX shell that also takes `$'…'` (bash, zsh, ksh, dash from 0.5.12
/// has no need of it as long as there are no control characters).
pub fn shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(is_unsafe) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut word = String::from("$'");
    let mut utf8 = [0; 4];
    for c in text.chars() {
        match c {
            '\\' | '\'' => word.extend(['\\', c]),
            c if is_unsafe(c) => {
                for byte in c.encode_utf8(&mut utf8).bytes() {
                    let _ = write!(word, "\\{byte:03o}");
                }
            }
            c => word.push(c),
        }
    }
    word.push('\'');
    word
}

/// Whether a terminal may act on this character, or show nothing for it.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0xad | 0x61c
                | 0x115f..=0x1160
                | 0x180e
                | 0x200b..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0x3164
                | 0xfe00..=0xfe0f
                | 0xfeff
                | 0xffa0
                | 0xfff9..=0xfffb
                | 0xe0000..=0xe0fff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_sees_no_control_sequence_and_no_turned_text() {
        let text = "a\x1b[2Jb\u{9b}31m\u{202e}gpj.exe\n";
        assert_eq!(terminal(text), "a\\u{1b}[2Jb\\u{9b}31m\\u{202e}gpj.exe\\n");
    }

    #[test]
    fn letters_of_any_script_stay() {
        assert_eq!(terminal("кафе → 店"), "кафе → 店");
    }

    #[test]
    fn a_value_in_a_query_cannot_end_it() {
        assert_eq!(
            query("[::1]:80&x=\u{e9}"),
            "%5B%3A%3A1%5D%3A80%26x%3D%C3%A9"
        );
    }

    #[test]
    fn a_shell_word_is_quoted_only_where_it_must_be() {
        assert_eq!(shell("KUBE-SVC-ABC"), "KUBE-SVC-ABC");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's $(reboot)"), "'it'\\''s $(reboot)'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn a_newline_cannot_end_a_pasted_command() {
        assert_eq!(shell("x\nreboot"), "$'x\\012reboot'");
    }
}
