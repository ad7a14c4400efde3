//! The clock and what is made of it: the one place where the daemon asks what time it is.

use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use watchglass_model::TimeMs;

/// Now.
pub(crate) fn now() -> TimeMs {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as TimeMs)
}

/// A time in RFC 3339 with milliseconds, as the APIs write it.
pub(crate) fn rfc3339(t: TimeMs) -> String {
    match jiff::Timestamp::from_millisecond(t) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => "0001-01-01T00:00:00Z".to_owned(),
    }
}

/// A random UUID (version 4), as Alertmanager names silences.
pub(crate) fn new_uuid() -> String {
    let mut bytes = [0u8; 16];
    // Where the system has no randomness, the time still tells two silences apart.
    if std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).is_err() {
        bytes[..8].copy_from_slice(&now().to_be_bytes());
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_and_uuids_look_right() {
        assert_eq!(super::rfc3339(1_435_781_451_781), "2015-07-01T20:10:51.781Z");
        assert_eq!(super::rfc3339(0), "1970-01-01T00:00:00.000Z");
        let id = super::new_uuid();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id}");
    }
}
