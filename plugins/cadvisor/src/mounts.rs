//! The mount table: /proc/PID/mountinfo (proc(5)).

use crate::text;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Major and minor number of its device.
    pub(crate) device_number: (u32, u32),
    /// Where it is mounted.
    pub(crate) point: String,
    /// The file system's type.
    pub(crate) kind: String,
    /// What is mounted: `/dev/sda1`, `overlay`, `tmpfs`.
    pub(crate) source: String,
    /// Options of the file system: of a cgroup mount its controllers.
    pub(crate) super_options: String,
}

/// Reads the table; a line that is none is left out.
pub(crate) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Mount> {
    // `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ');
    let device_number = text::device(left.nth(2)?)?;
    let point = unescape(left.nth(1)?);
    let mut right = right.split(' ');
    Some(Mount {
        device_number,
        point,
        kind: right.next()?.to_owned(),
        source: unescape(right.next()?),
        super_options: right.next().unwrap_or("").to_owned(),
    })
}

/// Space, tab, newline and backslash stand as octal numbers.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Finds the mount that a path is on: the one with the longest mount point above it; of several at one place the last one covers.
pub(crate) fn of_path<'m>(mounts: &'m [Mount], path: &str) -> Option<&'m Mount> {
    mounts.iter().filter(|m| below(path, &m.point)).max_by_key(|m| m.point.len())
}

/// Tells whether `path` is `folder` or something in it.
pub(crate) fn below(path: &str, folder: &str) -> bool {
    match path.strip_prefix(folder.trim_end_matches('/')) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_the_mount_of_a_path() {
        let table = parse(
            "36 35 98:0 / / rw shared:5 master:1 - ext4 /dev/root rw\njunk\n40 36 0:30 / /var/lib/my\\040docker rw - xfs /dev/sdb rw,x\n\u{fffd} - \n",
        );
        assert_eq!(table.len(), 2);
        assert_eq!(table[1].point, "/var/lib/my docker");
        assert_eq!(table[0].device_number, (98, 0));
        assert_eq!(of_path(&table, "/var/lib/my docker/overlay2/x").map(|m| m.source.as_str()), Some("/dev/sdb"));
        assert_eq!(of_path(&table, "/var/lib/my dockers").map(|m| m.source.as_str()), Some("/dev/root"));
        assert_eq!(of_path(&[], "/"), None);
    }
}
