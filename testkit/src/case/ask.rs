//! The command line of a question, as `berth why` takes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use net::{Endpoint, Prefix, Proto};
use trace::{Origin, Question};

use super::CaseError;
use super::file::Block;

/// A question as it was written, and how its answer is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// Every step is told.
    pub verbose: bool,
    /// The answer as data.
    pub json: bool,
}

impl Asked {
    /// Reads a block that asks.
    ///
    /// # Errors
    /// Where a word is none that a case knows; targets by name are none.
    pub fn parse(block: &Block) -> Result<Self, CaseError> {
        let wrong = |what: String| CaseError::at(block.line, what);
        let mut words = block.text.split_whitespace();
        if words.next() != Some("why") {
            return Err(wrong("a question begins with `why`".to_owned()));
        }
        let to = Endpoint {
            addr: IpAddr::from([0, 0, 0, 0]),
            port: 0,
        };
        let mut asked = Self {
            question: Question::about(Proto::TCP, to),
            verbose: false,
            json: false,
        };
        while let Some(word) = words.next() {
            asked.take(word, &mut words).map_err(wrong)?;
        }
        if asked.question.to.port == 0 {
            return Err(wrong("the question names no ADDRESS:PORT".to_owned()));
        }
        let is_loopback = asked.question.to.addr.is_loopback();
        if is_loopback && asked.question.origin == Origin::Everywhere {
            asked.question.origin = Origin::Local;
        }
        Ok(asked)
    }

    fn take<'t>(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = &'t str>,
    ) -> Result<(), String> {
        let question = &mut self.question;
        match word {
            "-v" | "--verbose" => self.verbose = true,
            "--json" => self.json = true,
            "--udp" => question.proto = Proto::UDP,
            "--sctp" => question.proto = Proto::SCTP,
            "--proto" => question.proto = value(word, words)?,
            "--in" => question.iif = Some(value(word, words)?),
            "--sport" => question.sport = Some(value(word, words)?),
            "--mac" => question.mac = Some(mac(&value::<String>(word, words)?)?),
            "--uid" => question.user = user(&value::<String>(word, words)?)?,
            "--cluster-cidr" => question.pod_ranges.push(value::<Prefix>(word, words)?),
            "--from" => question.origin = origin(&value::<String>(word, words)?)?,
            _ if word.starts_with('-') => return Err(format!("`{word}` is not for cases")),
            _ => question.to = parsed(word, "ADDRESS:PORT")?,
        }
        Ok(())
    }
}

fn value<'t, T>(name: &str, words: &mut impl Iterator<Item = &'t str>) -> Result<T, String>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let word = words
        .next()
        .ok_or_else(|| format!("{name} needs a value"))?;
    parsed(word, name)
}

fn parsed<T>(word: &str, what: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    word.parse()
        .map_err(|error| format!("`{word}` is no {what}: {error}"))
}

fn origin(text: &str) -> Result<Origin, String> {
    Ok(match text {
        "local" => Origin::Local,
        "outside" => Origin::Outside,
        "pods" => Origin::Pods,
        _ => Origin::Address(parsed(text, "source")?),
    })
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let wrong = || format!("`{text}` is no link-layer address");
    let bytes = text.split(':').map(|part| u8::from_str_radix(part, 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().map_err(|_| wrong())?;
    bytes.try_into().map_err(|_| wrong())
}

fn user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, "0"));
    Ok((parsed(uid, "user")?, parsed(gid, "group")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Asked, String> {
        let block = Block {
            line: 1,
            text: text.to_owned(),
        };
        Asked::parse(&block).map_err(|error| error.what)
    }

    #[test]
    fn a_question_reads_as_on_the_command_line() {
        let asked = parse("why 192.0.2.1:53 --udp --from 192.0.2.9 --in eth0 -v\n").unwrap();
        let mut question = Question::about(Proto::UDP, "192.0.2.1:53".parse().unwrap());
        question.origin = Origin::Address("192.0.2.9".parse().unwrap());
        question.iif = Some("eth0".to_owned());
        assert_eq!((asked.question, asked.verbose), (question, true));
    }

    #[test]
    fn only_this_host_can_mean_a_loopback_address() {
        assert_eq!(
            parse("why [::1]:80").unwrap().question.origin,
            Origin::Local
        );
    }

    #[test]
    fn a_word_that_is_none_is_named() {
        assert_eq!(
            parse("why 192.0.2.1:1 --snapshot x"),
            Err("`--snapshot` is not for cases".to_owned())
        );
        assert_eq!(
            parse("why --udp"),
            Err("the question names no ADDRESS:PORT".to_owned())
        );
    }
}
