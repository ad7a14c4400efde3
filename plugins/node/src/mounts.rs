//! The mount table: /proc/PID/mountinfo (proc(5)).

use crate::machine::Machine;
use watchglass_sdk::Error;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) major: String,
    pub(crate) minor: String,
    pub(crate) point: String,
    pub(crate) options: String,
    pub(crate) super_options: String,
    pub(crate) kind: String,
    pub(crate) device: String,
}

/// Reads the mounts of process 1, which are the machine's; where those are withheld, our host's own.
pub(crate) fn read(m: &Machine) -> Result<Vec<Mount>, Error> {
    let text = match m.proc_text("1/mountinfo") {
        Err(e) if e.is_not_found() || e.is_refused() => m.proc_text("self/mountinfo")?,
        other => other?,
    };
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<Mount> {
    // `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let (major, minor) = left.get(2)?.split_once(':')?;
    Some(Mount {
        major: major.to_owned(),
        minor: minor.to_owned(),
        point: unescape(left.get(4)?),
        options: (*left.get(5)?).to_owned(),
        super_options: right.get(2).copied().unwrap_or("").to_owned(),
        kind: (*right.first()?).to_owned(),
        device: unescape(right.get(1)?),
    })
}

/// Space, tab, newline and backslash stand as octal numbers.
pub(crate) fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo() {
        let m = parse(r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime shared:5 master:1 - ext3 /dev/root rw,errors=continue")
            .unwrap();
        assert_eq!(
            (m.point.as_str(), m.kind.as_str(), m.device.as_str(), m.major.as_str()),
            ("/mnt 2", "ext3", "/dev/root", "98")
        );
        assert_eq!(parse("36 35 98:0 /"), None);
        assert_eq!(parse("\u{fffd} - "), None);
    }
}
