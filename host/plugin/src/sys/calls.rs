//! System calls that no safe wrapper exists for: adjtimex, sysconf, the ioctls of ethtool and Btrfs.
#![allow(unsafe_code, reason = "each call's argument stands beside it")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys::netlink::{text, u32_at, u64_at};

/// `SIOCETHTOOL`
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// Room behind what an ethtool answer is said to need: the kernel writes as many counters as the driver has at that moment.
const SLACK: usize = 64 << 10;

/// Counters of one device.
const MAX_COUNTERS: usize = 65_536;

/// The kernel's clock discipline, unchanged; the second: whether the clock is synchronized.
pub(crate) fn adjtimex() -> io::Result<(libc::timex, bool)> {
    // SAFETY: `timex` is made of integers, for which all zeros are a value; `modes` 0 means that nothing is changed.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the struct that the pointer leads to, which lives through the call and is of the type that it expects.
    let state = unsafe { libc::adjtimex(&mut timex) };
    if state < 0 { Err(io::Error::last_os_error()) } else { Ok((timex, state != libc::TIME_ERROR)) }
}

/// Page size, ticks in a second, processors configured, processors online.
pub(crate) fn constants() -> [u32; 4] {
    let names = [libc::_SC_PAGESIZE, libc::_SC_CLK_TCK, libc::_SC_NPROCESSORS_CONF, libc::_SC_NPROCESSORS_ONLN];
    // SAFETY: sysconf takes any number and touches no memory of ours.
    names.map(|name| u32::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0))
}

/// One ethtool command on a device; the answer replaces the question in the buffer.
fn ethtool(device: &str, buffer: &mut [u8]) -> io::Result<()> {
    let name = device.as_bytes();
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    // SAFETY: socket() takes numbers alone; the result is checked before it becomes an owned descriptor that nothing else owns.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: `ifreq` is made of integers, arrays and a union of such, for which all zeros are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = buffer.as_mut_ptr().cast();
    // SAFETY: the kernel reads `request`, which lives through the call, and reads and writes where `ifru_data` leads: `buffer`, which is borrowed mutably
    // for the call. How much it writes follows from the command; each caller below makes the buffer at least that long, with SLACK
    // behind it where the driver decides the length.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &mut request) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn question(command: u32, length: usize) -> Vec<u8> {
    let mut buffer = vec![0; length];
    buffer[..4].copy_from_slice(&command.to_ne_bytes());
    buffer
}

/// Driver, its version, the firmware's, the bus, the expansion ROM's version.
pub(crate) fn ethtool_driver(device: &str) -> io::Result<[String; 5]> {
    // struct ethtool_drvinfo: 196 bytes.
    let mut buffer = question(0x03, 196);
    ethtool(device, &mut buffer)?;
    Ok([0, 1, 2, 3, 4].map(|i| text(&buffer[4 + i * 32..4 + (i + 1) * 32])))
}

/// The driver's counters by name.
pub(crate) fn ethtool_stats(device: &str) -> io::Result<Vec<(String, u64)>> {
    let mut info = question(0x03, 196);
    ethtool(device, &mut info)?;
    let count = u32_at(&info, 4 + 160 + 12 + 4) as usize;
    if count == 0 {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    if count > MAX_COUNTERS {
        return Err(io::Error::other(format!("{device}: {count} counters")));
    }
    // struct ethtool_gstrings: command, set 1 (counters), how many, 32 bytes each.
    let mut names = question(0x1b, 12 + count * 32 + SLACK);
    names[4..8].copy_from_slice(&1u32.to_ne_bytes());
    names[8..12].copy_from_slice(&(count as u32).to_ne_bytes());
    ethtool(device, &mut names)?;
    // struct ethtool_stats: command, how many, 8 bytes each.
    let mut values = question(0x1d, 8 + count * 8 + SLACK);
    values[4..8].copy_from_slice(&(count as u32).to_ne_bytes());
    ethtool(device, &mut values)?;
    let count = count.min(u32_at(&names, 8) as usize).min(u32_at(&values, 4) as usize);
    Ok((0..count).map(|i| (text(&names[12 + i * 32..12 + (i + 1) * 32]), u64_at(&values, 8 + i * 8))).collect())
}

/// A device's link settings.
pub(crate) struct LinkSettings {
    /// Megabits in a second.
    pub(crate) speed: Option<u32>,
    /// 0 half, 1 full, 255 not known.
    pub(crate) duplex: u8,
    /// The PORT_ number.
    pub(crate) port: u8,
    /// Whether it negotiates.
    pub(crate) autonegotiation: bool,
    /// Whether there is a link.
    pub(crate) detected: bool,
    /// Modes supported, advertised, advertised by the other side.
    pub(crate) modes: [Vec<u32>; 3],
}

/// The link settings of a device.
pub(crate) fn ethtool_link(device: &str) -> io::Result<LinkSettings> {
    // struct ethtool_link_settings: 48 bytes, then three masks. Asked with no words, it answers how many it has, negated.
    let mut settings = question(0x4c, 48);
    ethtool(device, &mut settings)?;
    let words = usize::from((settings[15] as i8).unsigned_abs());
    let mut settings = question(0x4c, 48 + 3 * 127 * 4);
    settings[15] = words as u8;
    ethtool(device, &mut settings)?;
    let mask = |i: usize| (0..words).map(|w| u32_at(&settings, 48 + (i * words + w) * 4)).collect();
    // struct ethtool_value: command, answer.
    let mut link = question(0x0a, 8);
    ethtool(device, &mut link)?;
    let speed = u32_at(&settings, 4);
    Ok(LinkSettings {
        // All ones, in 32 or in the 16 bits of older drivers: not known.
        speed: (speed != u32::MAX && speed != 0xffff && speed != 0).then_some(speed),
        duplex: settings[8],
        port: settings[9],
        autonegotiation: settings[11] != 0,
        detected: u32_at(&link, 4) != 0,
        modes: [mask(0), mask(1), mask(2)],
    })
}

/// A device of a Btrfs file system.
pub(crate) struct BtrfsDevice {
    /// Number.
    pub(crate) id: u64,
    /// Path.
    pub(crate) path: String,
    /// Identity.
    pub(crate) uuid: [u8; 16],
    /// Bytes in all, and in use.
    pub(crate) bytes: [u64; 2],
    /// Errors on writing, reading, flushing; damaged blocks; wrong generations.
    pub(crate) errors: [u64; 5],
}

/// Devices of a Btrfs file system.
const MAX_DEVICES: u64 = 1_000;

/// Numbers of devices that are tried: they grow with each that was ever there.
const MAX_DEVICE_IDS: u64 = 65_536;

/// One ioctl of Btrfs with an argument of fixed size, `write`: the kernel reads it first.
fn btrfs_call(file: &File, number: u8, write: bool, argument: &mut [u8]) -> io::Result<()> {
    // How <asm-generic/ioctl.h> makes a request's number: direction, size of the argument, 0x94 for Btrfs, the call's number.
    let direction: u32 = if write { 3 } else { 2 };
    let request = direction << 30 | (argument.len() as u32) << 16 | 0x94 << 8 | u32::from(number);
    // SAFETY: the request's number says how long the argument is, and the kernel reads and writes no more than that; the buffer is borrowed mutably
    // for the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), request as libc::Ioctl, argument.as_mut_ptr()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Identity and devices of the Btrfs file system that is mounted there.
pub(crate) fn btrfs(mount: &str) -> io::Result<([u8; 16], Vec<BtrfsDevice>)> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NONBLOCK).open(mount)?;
    let kind = rustix::fs::fstatfs(&file)?.f_type;
    // BTRFS_SUPER_MAGIC: on another file system the same numbers could mean another call.
    if kind as u64 & 0xffff_ffff != 0x9123_683e {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let mut info = [0u8; 1024];
    btrfs_call(&file, 31, false, &mut info)?;
    let (max_id, count) = (u64_at(&info, 0).min(MAX_DEVICE_IDS), u64_at(&info, 8).min(MAX_DEVICES));
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&info[16..32]);
    let mut devices = Vec::new();
    for id in 0..=max_id {
        if devices.len() as u64 >= count {
            break;
        }
        // devid, uuid, bytes used, bytes in all, unused, path from 3072.
        let mut about = [0u8; 4096];
        about[..8].copy_from_slice(&id.to_ne_bytes());
        match btrfs_call(&file, 30, true, &mut about) {
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => continue,
            other => other?,
        }
        // devid, how many, flags, five counters, unused.
        let mut stats = [0u8; 1032];
        stats[..8].copy_from_slice(&id.to_ne_bytes());
        stats[8..16].copy_from_slice(&5u64.to_ne_bytes());
        btrfs_call(&file, 52, true, &mut stats)?;
        let mut device = BtrfsDevice {
            id,
            path: text(&about[3072..]),
            uuid: [0; 16],
            bytes: [u64_at(&about, 32), u64_at(&about, 24)],
            errors: [0, 1, 2, 3, 4].map(|i| u64_at(&stats, 24 + i * 8)),
        };
        device.uuid.copy_from_slice(&about[8..24]);
        devices.push(device);
    }
    Ok((uuid, devices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_answers() -> io::Result<()> {
        let [page, ticks, configured, online] = constants();
        assert!(page >= 4096 && ticks == 100 && online >= 1 && configured >= online);
        // A sandbox may refuse it; what must not happen is nonsense.
        if let Ok((timex, _)) = adjtimex() {
            assert!((9_000..=11_000).contains(&timex.tick), "{}", timex.tick);
        }
        assert!(ethtool_driver("").is_err() && ethtool_driver("a-name-that-is-far-too-long").is_err());
        assert!(ethtool_stats("nosuchdevice").is_err_and(|e| e.raw_os_error() == Some(libc::ENODEV)));
        assert!(btrfs("/proc").is_err_and(|e| e.raw_os_error() == Some(libc::EOPNOTSUPP)));
        Ok(())
    }
}
