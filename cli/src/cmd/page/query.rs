//! The words behind the `?` of an address.

use net::Proto;

use crate::args;

/// A question, as the query of `/why` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    fields: Vec<(String, String)>,
}

impl Query {
    /// Reads `NAME=VALUE&…`; a name without a value is there and empty. Names that are not in
    /// `known`, and names that come twice, are refused: a mistyped one would be another
    /// question.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                let known = known.join("`, `");
                return Err(format!(
                    "this page takes no `{name}` in its address, only `{known}`"
                ));
            }
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(format!("`{name}` stands twice in the address"));
            }
            fields.push((name, value.trim().to_owned()));
        }
        Ok(Self { fields })
    }

    /// Whether a name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// The value of a name; absent where it is empty, as a field of a form is.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The value of a name, empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The protocol, TCP where it does not say.
    pub(super) fn proto(&self) -> Result<Proto, String> {
        self.get("proto").map_or(Ok(Proto::TCP), args::with_ports)
    }

    /// The client's source port.
    pub(super) fn sport(&self) -> Result<Option<u16>, String> {
        let port = |text: &str| match text.parse() {
            Ok(0) | Err(_) => Err(format!("`{text}` is no port")),
            Ok(port) => Ok(port),
        };
        self.get("sport").map(port).transpose()
    }

    /// The client's link-layer address.
    pub(super) fn mac(&self) -> Result<Option<[u8; 6]>, String> {
        self.get("mac").map(args::mac).transpose()
    }

    /// User and group of a client on this host.
    pub(super) fn user(&self) -> Result<(u32, u32), String> {
        self.get("uid").map_or(Ok((0, 0)), args::user)
    }

    /// The words of the target.
    pub(super) fn target(&self) -> Vec<String> {
        let words = self.text("to").split_whitespace();
        words.map(str::to_owned).collect()
    }

    /// The source, and words of it that the target's stand among: `pod NAMESPACE/NAME`.
    pub(super) fn source(&self, words: &mut Vec<String>) -> Option<String> {
        let from = self.get("from")?;
        let Some(("pod", name)) = from.split_once(char::is_whitespace) else {
            return Some(from.to_owned());
        };
        words.push(name.trim().to_owned());
        Some("pod".to_owned())
    }
}

/// Text without `+` and `%` and two digits.
pub(super) fn decoded(text: &str) -> Result<String, String> {
    let wrong = || "the address of this page has a `%` that it cannot read".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = digit().zip(digit()).ok_or_else(wrong)?;
                bytes.push(u8::try_from(high << 4 | low).map_err(|_| wrong())?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["to", "from", "proto", "all"];

    fn parse(text: &str) -> Result<Query, String> {
        Query::parse(text, KNOWN)
    }

    #[test]
    fn values_are_decoded_and_an_empty_one_is_as_good_as_none() {
        let query = parse("to=%5B%3A%3A1%5D%3A80&from=&all").unwrap();
        assert_eq!(query.get("to"), Some("[::1]:80"));
        assert_eq!((query.get("from"), query.text("from")), (None, ""));
        assert!(query.has("all") && !query.has("proto"));
        assert_eq!(query.proto(), Ok(Proto::TCP));
        let service = parse("to=service+shop%2Fweb").unwrap();
        assert_eq!(service.target(), ["service", "shop/web"]);
    }

    #[test]
    fn a_mistyped_or_repeated_name_and_a_torn_escape_are_refused() {
        assert_eq!(
            parse("form=outside").unwrap_err(),
            "this page takes no `form` in its address, only `to`, `from`, `proto`, `all`"
        );
        assert!(parse("to=1&to=2").unwrap_err().contains("twice"));
        for torn in ["to=%", "to=%4", "to=%zz", "to=%ff", "%c3=1"] {
            assert!(parse(torn).is_err(), "{torn}");
        }
    }

    #[test]
    fn the_name_of_a_pod_is_taken_out_of_the_source() {
        let query = parse("to=80&from=pod+shop%2Fweb-0").unwrap();
        let mut words = query.target();
        assert_eq!(query.source(&mut words).as_deref(), Some("pod"));
        assert_eq!(words, ["80", "shop/web-0"]);
    }

    #[test]
    fn a_protocol_without_ports_is_refused() {
        assert!(parse("proto=icmp").unwrap().proto().is_err());
    }
}
