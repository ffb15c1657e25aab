//! The options of `-m conntrack` and `-m state`.

use crate::xt::{ConntrackMatch, MaskedAddr, PortRange};

use super::option::{Opt, Took};
use super::values;
use super::words;

/// Gives an option to the match.
pub(super) fn option(m: &mut ConntrackMatch, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let family = opt.family;
    let addr = |text: &str| -> Option<MaskedAddr> { values::masked_addr(text, family) };
    let ports = |text: &str| -> Option<PortRange> { values::port_range(text, ':') };
    if m.written_as_state && opt.name != "--state" {
        return Ok(Took::Nothing);
    }
    match &*opt.name {
        "--state" if m.written_as_state => m.state = Some(opt.not(states)?),
        "--ctstate" => m.state = Some(opt.not(states)?),
        "--ctproto" => m.proto = Some(opt.not(|text| text.parse().ok())?),
        "--ctorigsrc" => m.orig_src = Some(opt.not(addr)?),
        "--ctorigdst" => m.orig_dst = Some(opt.not(addr)?),
        "--ctreplsrc" => m.reply_src = Some(opt.not(addr)?),
        "--ctrepldst" => m.reply_dst = Some(opt.not(addr)?),
        "--ctorigsrcport" => m.orig_sport = Some(opt.not(ports)?),
        "--ctorigdstport" => m.orig_dport = Some(opt.not(ports)?),
        "--ctreplsrcport" => m.reply_sport = Some(opt.not(ports)?),
        "--ctrepldstport" => m.reply_dport = Some(opt.not(ports)?),
        "--ctstatus" => m.status = Some(opt.not(statuses)?),
        "--ctexpire" => m.expire = Some(opt.not(values::number_range)?),
        "--ctdir" => {
            m.reply_direction = Some(opt.plain(|text| match text {
                "ORIGINAL" => Some(false),
                "REPLY" => Some(true),
                _ => None,
            })?);
        }
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}

fn states(list: &str) -> Option<u32> {
    words::bits(list, &words::CT_STATES)
}

fn statuses(list: &str) -> Option<u32> {
    if list == "NONE" {
        return Some(0);
    }
    words::bits(list, &words::CT_STATUS)
}
