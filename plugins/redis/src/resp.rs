//! A client of the Redis protocol, version 2 (redis.io, "Redis serialization protocol specification").

use std::io::{Read, Write};
use watchglass_sdk::Error;

/// The longest single string of an answer; INFO of a server with many modules has a few hundred kilobytes.
const MAX_BULK: i64 = 16 << 20;

/// The longest array of an answer.
const MAX_ITEMS: i64 = 1 << 20;

/// How deep arrays may be nested; LATENCY HISTOGRAM needs three.
const MAX_DEPTH: u32 = 8;

/// All bytes of one answer together.
const MAX_ANSWER: usize = 24 << 20;

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A status or a string; bytes that are no UTF-8 became U+FFFD.
    Text(String),
    /// A number.
    Number(i64),
    /// Nothing.
    Nil,
    /// Several.
    Array(Vec<Value>),
    /// The server's own error, `WRONGTYPE ...` say.
    Error(String),
}

impl Value {
    /// Gives the text of a string or a status.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(t) => Some(t),
            _ => None,
        }
    }

    /// Gives a number, written as one or as text.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n as f64),
            Value::Text(t) => t.parse().ok(),
            _ => None,
        }
    }

    /// Gives the items of an array; of anything else none.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) => items,
            _ => &[],
        }
    }
}

/// A client over any connection.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes of the present answer that may still come.
    left: usize,
}

impl<S: Read + Write> Client<S> {
    /// Makes a client of an open connection.
    pub fn new(stream: S) -> Client<S> {
        Client { stream, buffer: Vec::new(), at: 0, left: 0 }
    }

    /// Gives the connection.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Sends a command and reads its answer. The server's own error is `Ok(Value::Error)`; `Err` is the connection's or the protocol's.
    pub fn call(&mut self, command: &[&str]) -> Result<Value, Error> {
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            request.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        self.stream.write_all(&request)?;
        self.stream.flush()?;
        self.left = MAX_ANSWER;
        self.value(0)
    }

    fn value(&mut self, depth: u32) -> Result<Value, Error> {
        let line = self.line()?;
        let rest = line.get(1..).unwrap_or("");
        match line.as_bytes().first() {
            Some(b'+') => Ok(Value::Text(rest.to_owned())),
            Some(b'-') => Ok(Value::Error(rest.to_owned())),
            Some(b':') => Ok(Value::Number(length(rest, i64::MAX)?)),
            Some(b'$') => match length(rest, MAX_BULK)? {
                n if n < 0 => Ok(Value::Nil),
                n => {
                    let bytes = self.take(n as usize)?;
                    if self.take(2)? != b"\r\n" {
                        return Err(Error::protocol("redis: a string does not end where its length says"));
                    }
                    Ok(Value::Text(watchglass_sdk::files::into_text(bytes)))
                }
            },
            Some(b'*') if depth < MAX_DEPTH => {
                let n = length(rest, MAX_ITEMS)?;
                let mut items = Vec::new();
                for _ in 0..n.max(0) {
                    items.push(self.value(depth + 1)?);
                }
                Ok(if n < 0 { Value::Nil } else { Value::Array(items) })
            }
            Some(b'*') => Err(Error::protocol(format!("redis: the answer nests deeper than {MAX_DEPTH} arrays"))),
            _ => {
                let shown: String = line.chars().take(40).collect();
                Err(Error::protocol(format!("redis: `{shown}` is no answer of the Redis protocol")))
            }
        }
    }

    /// Reads a line without its end. Length is bounded by what a status or an error may be.
    fn line(&mut self) -> Result<String, Error> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\r' => {}
                b'\n' => return Ok(watchglass_sdk::files::into_text(line)),
                b => line.push(b),
            }
            if line.len() > 64 << 10 {
                return Err(Error::protocol("redis: a line of the answer is longer than 64 KiB"));
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        if self.at >= self.buffer.len() {
            self.fill()?;
        }
        let b = self.buffer.get(self.at).copied().ok_or_else(|| Error::protocol("redis: no byte"))?;
        self.at += 1;
        Ok(b)
    }

    fn take(&mut self, n: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        while out.len() < n {
            if self.at >= self.buffer.len() {
                self.fill()?;
            }
            let rest = self.buffer.get(self.at..).unwrap_or(&[]);
            let part = rest.get(..rest.len().min(n - out.len())).unwrap_or(&[]);
            out.extend_from_slice(part);
            self.at += part.len();
        }
        Ok(out)
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.resize(16 << 10, 0);
        self.at = 0;
        let n = match self.stream.read(&mut self.buffer) {
            Ok(n) => n,
            Err(e) => {
                self.buffer.clear();
                return Err(e.into());
            }
        };
        self.buffer.truncate(n);
        if n == 0 {
            return Err(Error::Unavailable("redis closed the connection".to_owned()));
        }
        self.left = self
            .left
            .checked_sub(n)
            .ok_or_else(|| Error::TooLarge(format!("redis: the answer is longer than {MAX_ANSWER} bytes")))?;
        Ok(())
    }
}

fn length(text: &str, max: i64) -> Result<i64, Error> {
    match text.parse::<i64>() {
        Ok(n) if n <= max => Ok(n),
        Ok(n) => Err(Error::TooLarge(format!("redis: a length of {n}; allowed is {max}"))),
        Err(_) => Err(Error::protocol(format!("redis: `{}` is no number", text.chars().take(40).collect::<String>()))),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io;

    /// A server that has already said everything, and remembers what it was told.
    #[derive(Debug, Default)]
    pub(crate) struct Script {
        pub(crate) answers: Vec<u8>,
        pub(crate) heard: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            // A few bytes at a time: no answer may depend on how it is cut.
            let n = self.answers.len().min(buf.len()).min(7);
            buf[..n].copy_from_slice(&self.answers[..n]);
            self.answers.drain(..n);
            Ok(n)
        }
    }

    impl Write for Script {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.heard.extend_from_slice(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ask(answers: &str) -> Result<Value, Error> {
        Client::new(Script { answers: answers.as_bytes().to_vec(), ..Script::default() }).call(&["PING"])
    }

    #[test]
    fn commands_are_arrays_of_strings() {
        let mut c = Client::new(Script { answers: b"+OK\r\n:7\r\n".to_vec(), ..Script::default() });
        assert_eq!(c.call(&["CONFIG", "GET", "ü"]).unwrap(), Value::Text("OK".into()));
        assert_eq!(c.call(&["X"]).unwrap(), Value::Number(7));
        assert_eq!(c.stream().heard, "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$2\r\nü\r\n*1\r\n$1\r\nX\r\n".as_bytes());
    }

    #[test]
    fn answers_of_every_kind() {
        assert_eq!(ask("$5\r\nab\r\nc\r\n").unwrap(), Value::Text("ab\r\nc".into()));
        assert_eq!(ask("$-1\r\n").unwrap(), Value::Nil);
        assert_eq!(ask("*-1\r\n").unwrap(), Value::Nil);
        assert_eq!(ask("-NOAUTH no\r\n").unwrap(), Value::Error("NOAUTH no".into()));
        assert_eq!(
            ask("*2\r\n:1\r\n*1\r\n$0\r\n\r\n").unwrap(),
            Value::Array(vec![Value::Number(1), Value::Array(vec![Value::Text(String::new())])])
        );
    }

    #[test]
    fn hostile_answers_are_refused() {
        for (answer, part) in [
            ("", "closed the connection"),
            ("$5\r\nab", "closed the connection"),
            ("$5\r\nabcdefg", "does not end where"),
            ("$99999999999\r\n", "allowed is"),
            ("*99999999\r\n", "allowed is"),
            ("HTTP/1.1 400 Bad Request\r\n", "no answer of the Redis protocol"),
            (":x\r\n", "is no number"),
            (&"*1\r\n".repeat(9), "nests deeper"),
            (&"+".repeat(70_000), "longer than 64 KiB"),
        ] {
            let e = ask(answer).unwrap_err().message();
            assert!(e.contains(part), "{answer:.20}: {e}");
        }
    }
}
