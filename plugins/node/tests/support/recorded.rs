//! The recorded machine: its files unpacked, and the flags that its lines were recorded with.

use std::os::unix::fs::symlink;
use std::path::Path;

/// Collectors that are on by default and read this machine, not the recorded one; the recording left them out.
const OFF: [&str; 4] = ["filesystem", "timex", "uname", "selinux"];

/// Unpacks the recorded machine into `temp`; gives the recording's flags with the paths there.
pub(crate) fn recorded(dir: &Path, temp: &Path) -> Vec<String> {
    let fixtures = dir.join("fixtures");
    for entry in std::fs::read_dir(&fixtures).unwrap() {
        let entry = entry.unwrap();
        if !["proc", "sys", "udev"].iter().any(|n| entry.file_name() == *n) {
            symlink(entry.path(), temp.join(entry.file_name())).unwrap();
        }
    }
    // Git keeps neither empty folders nor every link: the archives have the whole trees.
    unpack(&dir.join("sys.ttar"), temp);
    unpack(&dir.join("udev.ttar"), temp);
    std::fs::create_dir_all(temp.join("proc")).unwrap();
    for entry in std::fs::read_dir(fixtures.join("proc")).unwrap() {
        let entry = entry.unwrap();
        // `self` was a link.
        let from = if entry.file_name() == "self" { "10".into() } else { entry.path() };
        symlink(from, temp.join("proc").join(entry.file_name())).unwrap();
    }
    flags(&std::fs::read_to_string(dir.join("e2e-flags.txt")).unwrap(), temp)
}

/// The flags as the recording's script would give them: `collectors enabled:` names, then flags with variables.
fn flags(text: &str, temp: &Path) -> Vec<String> {
    let mut flags: Vec<String> = OFF.iter().map(|n| format!("--no-collector.{n}")).collect();
    let (mut variables, mut section) = (Vec::new(), "");
    for line in text.lines() {
        if let Some((_, rest)) = line.strip_prefix("flags (variables: ").map(|r| ((), r)) {
            variables = rest
                .trim_end_matches("):")
                .split(' ')
                .filter_map(|v| v.split_once('='))
                .map(|(n, v)| (format!("${{{n}}}"), v.trim_matches('\'').to_owned()))
                .collect();
            section = "flags";
        } else if !line.starts_with("  ") {
            section = line;
        } else if section.starts_with("collectors enabled") {
            flags.push(format!("--collector.{}", line.trim()));
        } else if section == "flags" {
            for word in line.split_whitespace() {
                let mut flag =
                    word.replace("${cpu_info_collector}", "--collector.cpu.info").replace("${extra_flags}", "");
                for (name, value) in &variables {
                    flag = flag.replace(name, value);
                }
                if let Some((name, path)) = flag.split_once('=') {
                    let path = path.strip_prefix("collector/").unwrap_or(path);
                    if let Some(below) = path.strip_prefix("fixtures") {
                        flag = format!("{name}={}{below}", temp.display());
                    }
                }
                flags.extend(Some(flag).filter(|f| !f.is_empty()));
            }
        }
    }
    flags
}

/// Unpacks a text archive of a folder: `Path:`, then `SymlinkTo:`, `Directory:` or `Lines: N` with the lines.
fn unpack(archive: &Path, into: &Path) {
    let text = std::fs::read_to_string(archive).unwrap();
    let mut lines = text.lines();
    let mut path = into.to_path_buf();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("Path: ") {
            path = into.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        } else if let Some(name) = line.strip_prefix("Directory: ") {
            std::fs::create_dir_all(into.join(name)).unwrap();
        } else if let Some(target) = line.strip_prefix("SymlinkTo: ") {
            symlink(target, &path).unwrap();
        } else if let Some(count) = line.strip_prefix("Lines: ") {
            let body: Vec<&str> = lines.by_ref().take(count.parse().unwrap()).collect();
            let mut content = body.iter().map(|l| format!("{l}\n")).collect::<String>();
            content = content.replace("\\NULLBYTE", "\u{1}NB").replace("NULLBYTE", "\0").replace("\u{1}NB", "NULLBYTE");
            if let Some(cut) = content.strip_suffix("EOF\n").filter(|c| !c.ends_with('\\')) {
                content = cut.to_owned();
            }
            std::fs::write(&path, content.replace("\\EOF", "EOF")).unwrap();
        }
    }
}
