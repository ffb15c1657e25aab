//! `sysctl -a`: kernel settings, a line each.

use crate::Sysctls;

use super::problem::{Input, Problem, Problems};

/// Reads `NAME = VALUE` and `NAME=VALUE`; a name has dots or slashes. Of two lines with the
/// same name the later one counts, as in `sysctl.conf`; empty lines and comments are skipped.
pub fn sysctls(input: Input<'_>) -> (Sysctls, Vec<Problem>) {
    let text = String::from_utf8_lossy(input.text);
    let mut problems = Problems::of(input);
    let mut sysctls = Sysctls::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        // What sysctl says about settings it may not read.
        let is_talk = line.starts_with("sysctl: ");
        if line.is_empty() || line.starts_with(['#', ';']) || is_talk {
            continue;
        }
        match line
            .split_once('=')
            .map(|(name, value)| (name.trim(), value))
        {
            Some((name, value)) if is_name(name) => match Sysctls::fault(name, value) {
                None => sysctls.insert(name, value),
                Some(wanted) => problems.add(
                    number + 1,
                    line,
                    format!("setting was skipped: its value must be {wanted}"),
                ),
            },
            _ => problems.add(number + 1, line, "line is no setting NAME = VALUE"),
        }
    }
    (sysctls, problems.into_vec())
}

fn is_name(name: &str) -> bool {
    let name = name.trim_start_matches('-');
    !name.is_empty() && !name.contains(char::is_whitespace) && name.contains(['.', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Sysctls, Vec<Problem>) {
        sysctls(Input {
            name: "sysctl.txt",
            text: text.as_bytes(),
        })
    }

    #[test]
    fn names_have_dots_or_slashes_and_values_may_be_empty() {
        let text = "net.ipv4.ip_forward = 1\nnet/ipv4/conf/eth0.7/rp_filter=2\n\
                    net.ipv4.ip_local_reserved_ports = \n";
        let (sysctls, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!(sysctls.number("net.ipv4.ip_forward", 0), 1);
        assert_eq!(sysctls.rp_filter("eth0.7"), 2);
        assert!(sysctls.is_given("net.ipv4.ip_local_reserved_ports"));
    }

    #[test]
    fn a_line_that_is_none_is_a_problem() {
        let text = "# comment\nsysctl: permission denied on key 'x'\nwhat\n= 3\na b.c = 1\n";
        let (sysctls, problems) = read(text);
        assert_eq!((sysctls.iter().count(), problems.len()), (0, 3));
    }

    #[test]
    fn a_value_that_decides_must_be_one() {
        let text = "net.ipv4.ip_forward = banana\nnet.ipv4.ip_local_port_range = 5\n\
                    net.ipv4.tcp_congestion_control = cubic\n";
        let (sysctls, problems) = read(text);
        let wanted: Vec<_> = problems.iter().map(|p| p.what.as_str()).collect();
        assert_eq!(
            wanted,
            [
                "setting was skipped: its value must be a number",
                "setting was skipped: its value must be two ports"
            ]
        );
        assert_eq!(sysctls.iter().count(), 1);
    }
}
