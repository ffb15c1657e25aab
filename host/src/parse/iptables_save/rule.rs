//! One rule: what stands behind `-A CHAIN`.

use net::{Family, Proto};

use crate::xt::{Match, Not, Rule, Target};

use super::head;
use super::matches;
use super::option::{Opt, Took};
use super::targets;
use super::tokens::Tokens;

/// Options that a match named earlier may take although one that is not modelled stands
/// between: people write them so.
const SHARED: [&str; 14] = [
    "--dport",
    "--sport",
    "--destination-port",
    "--source-port",
    "--dports",
    "--sports",
    "--ports",
    "--tcp-flags",
    "--syn",
    "--icmp-type",
    "--icmpv6-type",
    "--state",
    "--ctstate",
    "--comment",
];

/// A rule as read.
#[derive(Debug)]
pub(super) struct Reading {
    /// The rule.
    pub(super) rule: Rule,
    /// Its first comment.
    pub(super) comment: Option<Box<str>>,
    /// Its target may be a chain that stands further down.
    pub(super) is_open: bool,
}

/// A match in the making.
#[derive(Debug)]
struct Ext {
    item: Match,
    name: &'static str,
    /// Where its options begin in the line.
    after: usize,
    whole: bool,
}

/// A target in the making.
#[derive(Debug)]
struct TargetExt {
    item: Target,
    name: &'static str,
    after: usize,
    whole: bool,
}

/// What was named last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Match,
    Target,
}

/// Reads the rules of one table.
#[derive(Debug)]
pub(super) struct RuleReader {
    family: Family,
    /// `-s -d -i -o -p -f`, in the order in which the kernel tests them.
    head: [Option<Match>; 6],
    exts: Vec<Ext>,
    target: Option<TargetExt>,
    last: Last,
    is_open: bool,
    is_elsewhere: bool,
    /// What was wrong with parts of the last rule read.
    pub(super) problems: Vec<String>,
}

impl RuleReader {
    pub(super) fn of(family: Family) -> Self {
        Self {
            family,
            head: Default::default(),
            exts: Vec::new(),
            target: None,
            last: Last::Nothing,
            is_open: false,
            is_elsewhere: false,
            problems: Vec::new(),
        }
    }

    /// Reads a rule; `is_chain` tells chains from targets. `None` where the rule is for the
    /// other family only. An error means that nothing of it is certain.
    pub(super) fn read(
        &mut self,
        mut tokens: Tokens<'_>,
        is_chain: impl Fn(&str) -> bool,
    ) -> Result<Option<Reading>, String> {
        self.head = Default::default();
        self.exts.clear();
        self.target = None;
        self.last = Last::Nothing;
        self.is_open = false;
        self.is_elsewhere = false;
        self.problems.clear();
        while let Some(mut opt) = Opt::next(&mut tokens, self.family) {
            self.option(&mut opt, &is_chain)?;
        }
        if tokens.unclosed {
            return Err("a quote is not closed".to_owned());
        }
        Ok((!self.is_elsewhere).then(|| self.finish()))
    }

    fn option(
        &mut self,
        opt: &mut Opt<'_, '_>,
        is_chain: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        match &*opt.name {
            "-j" | "--jump" => self.jump(opt, is_chain),
            "-g" | "--goto" => self.goto(opt, is_chain),
            "-m" | "--match" => self.load(opt),
            "-s" | "--source" | "--src" => self.head(0, opt),
            "-d" | "--destination" | "--dst" => self.head(1, opt),
            "-i" | "--in-interface" => self.head(2, opt),
            "-o" | "--out-interface" => self.head(3, opt),
            "-p" | "--protocol" | "--proto" => self.head(4, opt),
            "-f" | "--fragment" | "--fragments" => self.head(5, opt),
            "-c" | "--set-counters" => {
                opt.text()?;
                opt.text().map(|_| ())
            }
            "-4" | "--ipv4" => {
                self.is_elsewhere |= self.family == Family::V6;
                Ok(())
            }
            "-6" | "--ipv6" => {
                self.is_elsewhere |= self.family == Family::V4;
                Ok(())
            }
            _ => self.extension(opt),
        }
    }

    /// One of the tests that every rule can make.
    fn head(&mut self, place: usize, opt: &mut Opt<'_, '_>) -> Result<(), String> {
        if self.head[place].is_some() {
            return Err(format!("{} is given twice", opt.name));
        }
        let (test, problem) = head::test(place, opt);
        self.head[place] = test;
        self.problems.extend(problem);
        Ok(())
    }

    fn jump(
        &mut self,
        opt: &mut Opt<'_, '_>,
        is_chain: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let name = opt.text()?;
        opt.flag()?;
        let (item, known, whole) = if is_chain(&name) {
            (Target::Jump((&*name).into()), "", true)
        } else if let Some(start) = targets::start(&name, self.family) {
            (start.item, start.name, start.whole)
        } else {
            self.is_open = true;
            let options = Box::default();
            let name = (&*name).into();
            (Target::Gap { name, options }, "", true)
        };
        self.aim(item, known, whole, opt.at())
    }

    fn goto(
        &mut self,
        opt: &mut Opt<'_, '_>,
        is_chain: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let name = opt.text()?;
        opt.flag()?;
        self.is_open = !is_chain(&name);
        self.aim(Target::Goto((&*name).into()), "", true, opt.at())
    }

    fn aim(
        &mut self,
        item: Target,
        name: &'static str,
        whole: bool,
        after: usize,
    ) -> Result<(), String> {
        if self.target.is_some() {
            return Err("the rule has two targets".to_owned());
        }
        self.target = Some(TargetExt {
            item,
            name,
            after,
            whole,
        });
        self.last = Last::Target;
        Ok(())
    }

    fn load(&mut self, opt: &mut Opt<'_, '_>) -> Result<(), String> {
        let name = opt.text()?;
        opt.flag()?;
        self.last = Last::Match;
        let after = opt.at();
        let Some(start) = matches::start(&name, self.family) else {
            let name = (&*name).into();
            let options = Box::default();
            self.exts.push(Ext {
                item: Match::Gap { name, options },
                name: "",
                after,
                whole: true,
            });
            return Ok(());
        };
        self.exts.push(Ext {
            item: start.item,
            name: start.name,
            after,
            whole: start.whole,
        });
        Ok(())
    }

    /// An option of a match or target: of the last one named first, as getopt does.
    fn extension(&mut self, opt: &mut Opt<'_, '_>) -> Result<(), String> {
        if self.takes_any() && !SHARED.contains(&&*opt.name) {
            self.swallow(opt);
            return Ok(());
        }
        if self.offer(opt) {
            return Ok(());
        }
        // getopt takes the beginning of a name for the name.
        let longer = match &*opt.name {
            "--dport" | "--destination-port" => "--dports",
            "--sport" | "--source-port" => "--sports",
            "--port" => "--ports",
            _ => "",
        };
        if !longer.is_empty() {
            let short = std::mem::replace(&mut opt.name, longer.into());
            if self.offer(opt) {
                return Ok(());
            }
            opt.name = short;
        }
        if self.load_by_proto(opt.start) {
            if self.offer(opt) {
                return Ok(());
            }
            self.exts.pop();
        }
        if self.takes_any() {
            self.swallow(opt);
            return Ok(());
        }
        opt.skip_values();
        self.degrade_last(opt)
    }

    /// Offers an option to what was named, the latest first.
    fn offer(&mut self, opt: &mut Opt<'_, '_>) -> bool {
        if let Some(target) = &mut self.target {
            match targets::option(&mut target.item, target.name, opt) {
                Ok(Took::Nothing) => {}
                Ok(took) => {
                    target.whole |= took == Took::Whole;
                    return true;
                }
                Err(what) => {
                    self.problems.push(what);
                    target.degrade(opt);
                    return true;
                }
            }
        }
        for ext in self.exts.iter_mut().rev() {
            match matches::option(&mut ext.item, opt) {
                Ok(Took::Nothing) => {}
                Ok(took) => {
                    ext.whole |= took == Took::Whole;
                    return true;
                }
                Err(what) => {
                    self.problems.push(what);
                    ext.degrade(opt);
                    return true;
                }
            }
        }
        false
    }

    /// Whether what was named last takes any option.
    fn takes_any(&self) -> bool {
        match self.last {
            Last::Nothing => false,
            Last::Match => {
                let last = self.exts.last().map(|ext| &ext.item);
                matches!(last, Some(Match::Gap { .. }))
            }
            Last::Target => match &self.target {
                Some(target) => match &target.item {
                    Target::Gap { .. } => true,
                    Target::Pass(_) => target.name != "CT",
                    _ => false,
                },
                None => false,
            },
        }
    }

    /// Gives an option to what was named last; a gap keeps it as written.
    fn swallow(&mut self, opt: &mut Opt<'_, '_>) {
        opt.skip_values();
        let kept = match (self.last, self.exts.last_mut(), &mut self.target) {
            (Last::Match, Some(ext), _) => match &mut ext.item {
                Match::Gap { options, .. } => options,
                _ => return,
            },
            (Last::Target, _, Some(target)) => match &mut target.item {
                Target::Gap { options, .. } => options,
                _ => return,
            },
            _ => return,
        };
        let mut text = std::mem::take(kept).into_string();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(opt.written());
        *kept = text.into();
    }

    /// Loads the match that `-p` implies; `start` is where its first option stands.
    fn load_by_proto(&mut self, start: usize) -> bool {
        let Some(Match::Proto(Not { not: false, value })) = &self.head[4] else {
            return false;
        };
        let name = match *value {
            Proto::TCP => "tcp",
            Proto::UDP => "udp",
            Proto::SCTP => "sctp",
            Proto::ICMP => "icmp",
            Proto::ICMP6 => "icmp6",
            _ => return false,
        };
        let Some(implied) = matches::start(name, self.family) else {
            return false;
        };
        self.exts.push(Ext {
            item: implied.item,
            name: implied.name,
            after: start,
            whole: implied.whole,
        });
        true
    }

    /// An option that nobody knows: what was named last is not what we take it for.
    fn degrade_last(&mut self, opt: &Opt<'_, '_>) -> Result<(), String> {
        match (self.last, self.exts.last_mut(), &mut self.target) {
            (Last::Match, Some(ext), _) => ext.degrade(opt),
            (Last::Target, _, Some(target)) => target.degrade(opt),
            _ => return Err(format!("{} is no option of a rule", opt.name)),
        }
        Ok(())
    }

    fn finish(&mut self) -> Reading {
        let count = self.exts.len() + self.head.iter().flatten().count();
        let mut matches = Vec::with_capacity(count);
        matches.extend(self.head.iter_mut().filter_map(Option::take));
        let mut comment = None;
        for ext in self.exts.drain(..) {
            let item = if ext.whole {
                ext.item
            } else {
                let what = format!("-m {} lacks what it tests", ext.name);
                self.problems.push(what);
                lacking(ext.name)
            };
            match &item {
                Match::Comment(text) if comment.is_none() => comment = Some(text.clone()),
                // Counts, and holds always: a quota would be the object's own.
                Match::Gap { name, .. } if &**name == "nfacct" => continue,
                _ => {}
            }
            matches.push(item);
        }
        let target = match self.target.take() {
            None => Target::None,
            Some(target) if target.whole => target.item,
            Some(target) => {
                let what = format!("-j {} lacks what it does", target.name);
                self.problems.push(what);
                Target::Gap {
                    name: target.name.into(),
                    options: Box::default(),
                }
            }
        };
        Reading {
            rule: Rule { matches, target },
            comment,
            is_open: self.is_open,
        }
    }
}

impl Ext {
    fn degrade(&mut self, opt: &Opt<'_, '_>) {
        self.item = Match::Gap {
            name: self.name.into(),
            options: opt.written_from(self.after).into(),
        };
        self.whole = true;
    }
}

impl TargetExt {
    /// Chains and verdicts have no options: whoever gives one means something else.
    fn degrade(&mut self, opt: &Opt<'_, '_>) {
        let name = match &self.item {
            Target::Jump(chain) | Target::Goto(chain) => chain.clone(),
            _ => self.name.into(),
        };
        self.item = Target::Gap {
            name,
            options: opt.written_from(self.after).into(),
        };
        self.whole = true;
    }
}

fn lacking(name: &str) -> Match {
    Match::Gap {
        name: name.into(),
        options: Box::default(),
    }
}
