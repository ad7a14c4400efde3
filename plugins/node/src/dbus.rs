//! A client of D-Bus, as far as asking needs it (D-Bus specification 0.43: authentication, message format, marshalling).

use std::io::{Read, Write};
use watchglass_sdk::Error;

/// A connection to a bus, whatever carries it.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// The longest message taken; the specification allows 128 MiB, a list of units is well below one.
const MAX_MESSAGE: u32 = 16 << 20;

/// How deep values may be nested: half of what the specification allows.
const MAX_DEPTH: u32 = 32;

/// Messages of others (signals) that may come before an answer.
const MAX_OTHERS: u32 = 1_000;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Any number, signed or not, and booleans.
    Number(f64),
    /// A string, an object's path, a signature.
    Text(String),
    /// An array, a struct, or the two halves of a dictionary's entry.
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn text(&self) -> &str {
        match self {
            Value::Text(t) => t,
            _ => "",
        }
    }
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }
    pub(crate) fn items(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            _ => &[],
        }
    }
}

/// An open bus.
pub(crate) struct Bus<'s> {
    stream: Box<dyn Stream + 's>,
    serial: u32,
}

impl<'s> Bus<'s> {
    /// Says hello. Who we are the other side sees by the socket's own credentials.
    pub(crate) fn open(stream: Box<dyn Stream + 's>) -> Result<Bus<'s>, Error> {
        let mut bus = Bus { stream, serial: 0 };
        bus.stream.write_all(b"\0AUTH EXTERNAL\r\n")?;
        let mut answer = bus.line()?;
        if answer.starts_with("DATA") {
            bus.stream.write_all(b"DATA\r\n")?;
            answer = bus.line()?;
        }
        if !answer.starts_with("OK ") {
            return Err(Error::Denied(format!("d-bus refuses us: {answer}")));
        }
        bus.stream.write_all(b"BEGIN\r\n")?;
        bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", &[])?;
        Ok(bus)
    }

    /// Asks for a property.
    pub(crate) fn property(&mut self, to: &str, path: &str, interface: &str, name: &str) -> Result<Value, Error> {
        let answer = self.call(to, path, "org.freedesktop.DBus.Properties", "Get", &[interface, name])?;
        answer.into_iter().next().ok_or_else(|| Error::protocol(format!("d-bus: property {name} has no value")))
    }

    /// Calls a method whose arguments are strings; gives the answer's values.
    pub(crate) fn call(
        &mut self,
        to: &str,
        path: &str,
        interface: &str,
        method: &str,
        args: &[&str],
    ) -> Result<Vec<Value>, Error> {
        self.serial += 1;
        let message = encode(self.serial, to, path, interface, method, args);
        self.stream.write_all(&message)?;
        self.stream.flush()?;
        for _ in 0..MAX_OTHERS {
            let (kind, reply_to, values) = self.message()?;
            if reply_to != self.serial {
                continue;
            }
            return match kind {
                METHOD_RETURN => Ok(values),
                _ => Err(Error::Other(format!(
                    "d-bus: {interface}.{method}: {}",
                    values.first().map_or("refused", Value::text)
                ))),
            };
        }
        Err(Error::protocol("d-bus: no answer among many messages"))
    }

    /// Reads a message: its kind, the serial that it answers, its values.
    fn message(&mut self) -> Result<(u8, u32, Vec<Value>), Error> {
        let mut head = [0u8; 16];
        self.stream.read_exact(&mut head)?;
        let little = match head[0] {
            b'l' => true,
            b'B' => false,
            _ => return Err(Error::protocol("d-bus: a message begins with neither l nor B")),
        };
        let number = |at: usize| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
        };
        let (body_length, fields_length) = (number(4), number(12));
        if body_length > MAX_MESSAGE || fields_length > 1 << 16 {
            return Err(Error::TooLarge("d-bus: a message is too long".to_owned()));
        }
        let mut fields = vec![0u8; fields_length.next_multiple_of(8) as usize];
        self.stream.read_exact(&mut fields)?;
        let mut body = vec![0u8; body_length as usize];
        self.stream.read_exact(&mut body)?;
        // The header's array begins at 16, so its own alignment is right.
        let mut reader = Reader { bytes: fields.get(..fields_length as usize).unwrap_or(&[]), at: 0, little };
        let (mut reply_to, mut signature) = (0, String::new());
        while reader.at < reader.bytes.len() {
            let field = reader.value("(yv)", &mut 0, 0)?;
            match field.items() {
                [Value::Number(5.0), v] => reply_to = v.number().unwrap_or(0.0) as u32,
                [Value::Number(8.0), v] => signature = v.text().to_owned(),
                _ => {}
            }
        }
        let mut reader = Reader { bytes: &body, at: 0, little };
        let (mut values, mut at) = (Vec::new(), 0);
        if matches!(head[1], METHOD_RETURN | ERROR) {
            while at < signature.len() {
                values.push(reader.value(&signature, &mut at, 0)?);
            }
        }
        Ok((head[1], reply_to, values))
    }

    fn line(&mut self) -> Result<String, Error> {
        let mut line = Vec::new();
        let mut byte = [0u8];
        while line.len() < 1_024 {
            self.stream.read_exact(&mut byte)?;
            match byte[0] {
                b'\n' => return Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
                b => line.push(b),
            }
        }
        Err(Error::protocol("d-bus: the answer to AUTH has no end"))
    }
}

/// Makes a method call, little-endian.
fn encode(serial: u32, to: &str, path: &str, interface: &str, method: &str, args: &[&str]) -> Vec<u8> {
    fn align(out: &mut Vec<u8>, to: usize) {
        out.resize(out.len().next_multiple_of(to), 0);
    }
    fn string(out: &mut Vec<u8>, s: &str) {
        align(out, 4);
        out.extend_from_slice(&(s.len() as u32).to_le_bytes());
        out.extend_from_slice(s.as_bytes());
        out.push(0);
    }
    fn signature(out: &mut Vec<u8>, s: &str) {
        out.push(s.len() as u8);
        out.extend_from_slice(s.as_bytes());
        out.push(0);
    }
    let mut body = Vec::new();
    args.iter().for_each(|a| string(&mut body, a));
    let mut fields = Vec::new();
    for (code, kind, value) in [(1u8, "o", path), (6, "s", to), (2, "s", interface), (3, "s", method)] {
        align(&mut fields, 8);
        fields.push(code);
        signature(&mut fields, kind);
        string(&mut fields, value);
    }
    if !args.is_empty() {
        align(&mut fields, 8);
        fields.push(8);
        signature(&mut fields, "g");
        signature(&mut fields, &"s".repeat(args.len()));
    }
    let mut out = vec![b'l', METHOD_CALL, 0, 1];
    for n in [body.len() as u32, serial, fields.len() as u32] {
        out.extend_from_slice(&n.to_le_bytes());
    }
    out.extend_from_slice(&fields);
    align(&mut out, 8);
    out.extend_from_slice(&body);
    out
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    little: bool,
}

impl Reader<'_> {
    fn take(&mut self, n: usize) -> Result<&[u8], Error> {
        let end = self
            .at
            .checked_add(n)
            .filter(|e| *e <= self.bytes.len())
            .ok_or_else(|| Error::protocol("d-bus: a message ends early"))?;
        let part = &self.bytes[self.at..end];
        self.at = end;
        Ok(part)
    }

    fn align(&mut self, to: usize) -> Result<(), Error> {
        let n = self.at.next_multiple_of(to) - self.at;
        self.take(n).map(drop)
    }

    /// Reads an unsigned number of `n` bytes at its alignment.
    fn number(&mut self, n: usize) -> Result<u64, Error> {
        self.align(n)?;
        let little = self.little;
        let bytes = self.take(n)?;
        let fold = |v: u64, b: &u8| v << 8 | u64::from(*b);
        Ok(if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    }

    fn text(&mut self, length: usize) -> Result<Value, Error> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(Value::Text(text))
    }

    /// Reads the value whose type stands at `at` in `signature`, and moves `at` behind that type.
    fn value(&mut self, signature: &str, at: &mut usize, depth: u32) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::protocol("d-bus: a value nests too deep"));
        }
        let bad = || Error::protocol("d-bus: a signature is not one");
        let kind = *signature.as_bytes().get(*at).ok_or_else(bad)?;
        *at += 1;
        Ok(match kind {
            b'y' => Value::Number(self.number(1)? as f64),
            b'n' => Value::Number(f64::from(self.number(2)? as u16 as i16)),
            b'q' => Value::Number(self.number(2)? as f64),
            b'i' => Value::Number(f64::from(self.number(4)? as u32 as i32)),
            b'u' | b'b' | b'h' => Value::Number(self.number(4)? as f64),
            b'x' => Value::Number(self.number(8)? as i64 as f64),
            b't' => Value::Number(self.number(8)? as f64),
            b'd' => Value::Number(f64::from_bits(self.number(8)?)),
            b's' | b'o' => {
                let n = self.number(4)? as usize;
                self.text(n)?
            }
            b'g' => {
                let n = self.number(1)? as usize;
                self.text(n)?
            }
            b'v' => {
                let n = self.number(1)? as usize;
                let inner = self.text(n)?;
                self.value(inner.text(), &mut 0, depth + 1)?
            }
            b'a' => {
                let length = self.number(4)? as usize;
                let element = *at;
                let first = *signature.as_bytes().get(element).ok_or_else(bad)?;
                // The padding before the first element is not counted.
                self.align(match first {
                    b'(' | b'{' | b'x' | b't' | b'd' => 8,
                    b'n' | b'q' => 2,
                    b'y' | b'g' | b'v' => 1,
                    _ => 4,
                })?;
                let end = self
                    .at
                    .checked_add(length)
                    .filter(|e| *e <= self.bytes.len())
                    .ok_or_else(|| Error::protocol("d-bus: an array ends early"))?;
                let mut items = Vec::new();
                while self.at < end {
                    let before = self.at;
                    items.push(self.value(signature, &mut element.clone(), depth + 1)?);
                    if self.at == before {
                        return Err(bad());
                    }
                }
                *at = skip(signature, element, 0).ok_or_else(bad)?;
                Value::List(items)
            }
            b'(' | b'{' => {
                self.align(8)?;
                let mut items = Vec::new();
                while !matches!(signature.as_bytes().get(*at), Some(b')' | b'}')) {
                    items.push(self.value(signature, at, depth + 1)?);
                }
                *at += 1;
                Value::List(items)
            }
            _ => return Err(bad()),
        })
    }
}

/// Gives where the type at `at` ends.
fn skip(signature: &str, at: usize, depth: u32) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    match signature.as_bytes().get(at)? {
        b'a' => skip(signature, at + 1, depth + 1),
        b'(' | b'{' => {
            let mut at = at + 1;
            while !matches!(signature.as_bytes().get(at)?, b')' | b'}') {
                at = skip(signature, at, depth + 1)?;
            }
            Some(at + 1)
        }
        _ => Some(at + 1),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io;

    /// A bus that has already said everything.
    pub(crate) struct Script(pub(crate) io::Cursor<Vec<u8>>);

    impl Read for Script {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }
    impl Write for Script {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An answer to message `serial` with a body.
    fn answer(serial: u32, signature: &str, body: &[u8]) -> Vec<u8> {
        let mut fields = vec![5, 1, b'u', 0];
        fields.extend_from_slice(&serial.to_le_bytes());
        fields.extend_from_slice(&[8, 1, b'g', 0, signature.len() as u8]);
        fields.extend_from_slice(signature.as_bytes());
        fields.push(0);
        let mut out = vec![b'l', METHOD_RETURN, 0, 1];
        for n in [body.len() as u32, 7, fields.len() as u32] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        out.extend_from_slice(&fields);
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend_from_slice(body);
        out
    }

    fn bus(answers: &[Vec<u8>]) -> Result<Bus<'static>, Error> {
        let mut bytes = b"DATA\r\nOK 1234\r\n".to_vec();
        bytes.extend(answer(1, "s", b"\x04\0\0\0:1.2\0"));
        answers.iter().for_each(|a| bytes.extend_from_slice(a));
        Bus::open(Box::new(Script(io::Cursor::new(bytes))))
    }

    #[test]
    fn answers_are_read() {
        // a(su) with two entries; a struct begins at a multiple of 8.
        let mut body = vec![26, 0, 0, 0, 0, 0, 0, 0];
        body.extend_from_slice(b"\x01\0\0\0a\0\0\0\x07\0\0\0\0\0\0\0");
        body.extend_from_slice(b"\x01\0\0\0b\0\0\0\xff\xff");
        body.extend_from_slice(b"\xff\xff");
        body[0] = 28;
        let mut b = bus(&[answer(9, "", b""), answer(2, "a(su)", &body)]).unwrap();
        let values = b.call("a.b", "/a", "a.b", "List", &["x"]).unwrap();
        let rows = values[0].items();
        assert_eq!(rows[0].items(), [Value::Text("a".into()), Value::Number(7.0)]);
        assert_eq!(rows[1].items(), [Value::Text("b".into()), Value::Number(4_294_967_295.0)]);
    }

    #[test]
    fn calls_are_aligned() {
        let m = encode(3, "org.a", "/p", "org.i", "M", &["x"]);
        let body = u32::from_le_bytes([m[4], m[5], m[6], m[7]]) as usize;
        assert_eq!(body, 6);
        assert_eq!((m.len() - body) % 8, 0);
        assert_eq!(&m[m.len() - 6..], b"\x01\0\0\0x\0");
    }

    #[test]
    fn hostile_messages_are_refused() {
        for (signature, body) in [
            ("s", &b"\xff\xff\xff\x7fa"[..]),
            ("a", b"\0\0\0\0"),
            ("ay", b"\xff\0\0\0"),
            ("a()", b"\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            ("z", b""),
            (&"(".repeat(60), b""),
        ] {
            let mut b = bus(&[answer(2, signature, body)]).unwrap();
            assert!(b.call("a", "/", "a", "M", &[]).is_err(), "{signature}");
        }
        assert!(Bus::open(Box::new(Script(io::Cursor::new(b"REJECTED EXTERNAL\r\n".to_vec())))).is_err());
    }
}
