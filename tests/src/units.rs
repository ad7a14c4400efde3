//! A systemd and a logind that are none: their names on a real D-Bus, with a few units, seats and sessions that never change.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::eventually;

/// A bus of the test's own (`dbus-daemon`), and the two services on it. Stopped when dropped.
pub struct Units {
    bus: Child,
}

impl Units {
    /// Starts a bus at that socket, with its configuration in `dir`; none where the machine has no dbus-daemon.
    pub fn start(socket: &Path, dir: &Path) -> Option<Units> {
        let config = dir.join("bus.conf");
        let text = format!(
            "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>",
            socket.display()
        );
        std::fs::write(&config, text).expect("the bus' configuration");
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--config-file"]).arg(&config);
        let bus = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let units = Units { bus };
        let mut service = eventually("the bus takes our services", || Service::open(socket).map_err(|e| e.to_string()));
        std::thread::spawn(move || while service.answer().is_ok() {});
        Some(units)
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

/// A value of D-Bus.
#[derive(Clone)]
enum Value {
    Text(&'static str),
    Path(&'static str),
    Small(u32),
    Signed(i32),
    Large(u64),
    Switch(bool),
    /// Structs of one signature.
    Rows(&'static str, Vec<Vec<Value>>),
}

use Value::{Large, Path as Object, Rows, Signed, Small, Switch, Text};

impl Value {
    fn signature(&self) -> String {
        match self {
            Text(_) => "s".into(),
            Object(_) => "o".into(),
            Small(_) => "u".into(),
            Signed(_) => "i".into(),
            Large(_) => "t".into(),
            Switch(_) => "b".into(),
            Rows(fields, _) => format!("a({fields})"),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Text(t) | Object(t) => string(out, t),
            Small(n) => number(out, *n),
            Signed(n) => number(out, *n as u32),
            Switch(b) => number(out, u32::from(*b)),
            Large(n) => {
                align(out, 8);
                out.extend_from_slice(&n.to_le_bytes());
            }
            Rows(_, rows) => {
                number(out, 0);
                let length_at = out.len() - 4;
                align(out, 8);
                let start = out.len();
                for row in rows {
                    align(out, 8);
                    row.iter().for_each(|v| v.put(out));
                }
                let length = (out.len() - start) as u32;
                out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
            }
        }
    }
}

/// Values one behind the other, with their signature.
fn encoded(values: &[Value]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    values.iter().for_each(|v| v.put(&mut body));
    (values.iter().map(Value::signature).collect(), body)
}

/// A value that brings its signature with it.
fn variant(value: &Value) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    signature(&mut body, &value.signature());
    value.put(&mut body);
    ("v".to_owned(), body)
}

fn align(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn number(out: &mut Vec<u8>, n: u32) {
    align(out, 4);
    out.extend_from_slice(&n.to_le_bytes());
}

fn string(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u32);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn signature(out: &mut Vec<u8>, text: &str) {
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// Our side of the bus.
struct Service {
    stream: BufReader<UnixStream>,
    serial: u32,
}

/// A call: what it is about, its arguments (texts alone), and where the answer goes.
#[derive(Default, Debug)]
struct Call {
    path: String,
    interface: String,
    member: String,
    sender: String,
    arguments: Vec<String>,
    serial: u32,
}

impl Service {
    fn open(socket: &Path) -> io::Result<Service> {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        let mut service = Service { stream: BufReader::new(stream), serial: 0 };
        for wanted in ["DATA", "OK"] {
            let mut line = String::new();
            service.stream.read_line(&mut line)?;
            if !line.starts_with(wanted) {
                return Err(io::Error::other(format!("the bus says {line}")));
            }
        }
        service.ask("Hello", &[])?;
        service.ask("RequestName", &[Text("org.freedesktop.systemd1"), Small(0)])?;
        service.ask("RequestName", &[Text("org.freedesktop.login1"), Small(0)])?;
        Ok(service)
    }

    /// Calls the bus itself; the answer is of no interest.
    fn ask(&mut self, member: &str, arguments: &[Value]) -> io::Result<()> {
        let bus = "org.freedesktop.DBus";
        let fields = [(1, "o", "/org/freedesktop/DBus"), (2, "s", bus), (3, "s", member), (6, "s", bus)];
        self.send(1, &fields, None, encoded(arguments))
    }

    /// Sends a message; `body` is a signature and what it describes.
    fn send(
        &mut self,
        kind: u8,
        fields: &[(u8, &str, &str)],
        reply_to: Option<u32>,
        body: (String, Vec<u8>),
    ) -> io::Result<()> {
        self.serial += 1;
        let ((types, body), mut head) = (body, Vec::new());
        for (code, kind, text) in fields {
            align(&mut head, 8);
            head.push(*code);
            signature(&mut head, kind);
            string(&mut head, text);
        }
        if !types.is_empty() {
            align(&mut head, 8);
            head.push(8);
            signature(&mut head, "g");
            signature(&mut head, &types);
        }
        if let Some(serial) = reply_to {
            align(&mut head, 8);
            head.push(5);
            signature(&mut head, "u");
            number(&mut head, serial);
        }
        let mut out = vec![b'l', kind, 0, 1];
        [body.len() as u32, self.serial, head.len() as u32].iter().for_each(|n| number(&mut out, *n));
        out.extend_from_slice(&head);
        align(&mut out, 8);
        out.extend_from_slice(&body);
        self.stream.get_mut().write_all(&out)
    }

    /// Waits for the next message, and answers it if it is a call.
    fn answer(&mut self) -> io::Result<()> {
        let Some(call) = self.next()? else { return Ok(()) };
        let answer = match call.member.as_str() {
            "ListUnits" => Some(units()),
            "ListSeats" => Some(Rows("so", vec![vec![Text("seat0"), Object("/org/freedesktop/login1/seat/seat0")]])),
            "ListSessions" => Some(sessions()),
            "Get" => match call.arguments.as_slice() {
                [interface, name] => property(&call.path, interface.rsplit('.').next().unwrap_or_default(), name),
                _ => None,
            },
            _ => None,
        };
        let (to, serial) = (call.sender.as_str(), Some(call.serial));
        match answer {
            Some(value) => {
                let body = if call.member == "Get" { variant(&value) } else { encoded(&[value]) };
                self.send(2, &[(6, "s", to)], serial, body)
            }
            None => {
                let unknown = "org.freedesktop.DBus.Error.UnknownProperty";
                self.send(
                    3,
                    &[(6, "s", to), (4, "s", unknown)],
                    serial,
                    encoded(&[Text("there is no such thing here")]),
                )
            }
        }
    }

    /// Reads a message; `None` for what is no call to us.
    fn next(&mut self) -> io::Result<Option<Call>> {
        let mut start = [0; 16];
        self.stream.read_exact(&mut start)?;
        let little = start[0] == b'l';
        let word = |b: &[u8]| {
            let bytes = [b[0], b[1], b[2], b[3]];
            (if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }) as usize
        };
        let (body_length, head_length) = (word(&start[4..]), word(&start[12..]));
        let mut head = vec![0; head_length.next_multiple_of(8)];
        self.stream.read_exact(&mut head)?;
        let mut body = vec![0; body_length];
        self.stream.read_exact(&mut body)?;
        let mut call = Call { serial: word(&start[8..]) as u32, ..Call::default() };
        let text = |bytes: &[u8], at: usize| {
            let length = word(&bytes[at..]);
            (String::from_utf8_lossy(&bytes[at + 4..at + 4 + length]).into_owned(), at + 4 + length + 1)
        };
        let mut at = 0;
        while at < head_length {
            at = at.next_multiple_of(8);
            let (code, kind) = (head[at], head[at + 2]);
            at += 4;
            match kind {
                b's' | b'o' => {
                    let (value, end) = text(&head, at);
                    match code {
                        1 => call.path = value,
                        2 => call.interface = value,
                        3 => call.member = value,
                        7 => call.sender = value,
                        _ => {}
                    }
                    at = end;
                }
                b'g' => at += 2 + usize::from(head[at]),
                _ => at += 4,
            }
        }
        let mut at = 0;
        while at + 4 < body.len() {
            let (value, end) = text(&body, at);
            call.arguments.push(value);
            at = end.next_multiple_of(4);
        }
        Ok((start[1] == 1).then_some(call))
    }
}

/// Name, description, load, active, sub, followed, path, job's number, kind and path.
fn units() -> Value {
    let unit = |name, load, active, path| {
        let none = Object("/");
        vec![
            Text(name),
            Text("a unit"),
            Text(load),
            Text(active),
            Text("x"),
            Text(""),
            Object(path),
            Small(0),
            Text(""),
            none,
        ]
    };
    Rows(
        "ssssssouso",
        vec![
            unit("web.service", "loaded", "active", "/org/freedesktop/systemd1/unit/web_2eservice"),
            unit("job@7.service", "loaded", "failed", "/org/freedesktop/systemd1/unit/job_407_2eservice"),
            unit("gone.service", "not-found", "inactive", "/org/freedesktop/systemd1/unit/gone_2eservice"),
            unit("web.socket", "loaded", "active", "/org/freedesktop/systemd1/unit/web_2esocket"),
            unit("backup.timer", "loaded", "active", "/org/freedesktop/systemd1/unit/backup_2etimer"),
            unit("multi-user.target", "loaded", "activating", "/org/freedesktop/systemd1/unit/multi_2duser_2etarget"),
            unit("home.mount", "loaded", "active", "/org/freedesktop/systemd1/unit/home_2emount"),
        ],
    )
}

/// Session, user's number, user's name, seat, path.
fn sessions() -> Value {
    let session = |id, uid, user, seat, path| vec![Text(id), Small(uid), Text(user), Text(seat), Object(path)];
    Rows(
        "susso",
        vec![
            session("1", 1_000, "ann", "seat0", "/org/freedesktop/login1/session/_31"),
            session("2", 1_001, "bob", "", "/org/freedesktop/login1/session/_32"),
        ],
    )
}

/// A property of the object at a path, by the last part of its interface's name.
fn property(path: &str, interface: &str, name: &str) -> Option<Value> {
    let unit = path.rsplit('/').next().unwrap_or_default();
    Some(match (unit, interface, name) {
        (_, "Manager", "Version") => Text("252.30-1~deb12u2"),
        (_, "Manager", "Virtualization") => Text("kvm"),
        (_, "Manager", "SystemState") => Text("running"),
        (_, "Manager", "Architecture") => Text("x86-64"),
        (_, "Manager", _) if name.ends_with("Timestamp") => Large(1_700_000_000_000_000),
        (_, "Manager", _) if name.ends_with("TimestampMonotonic") => Large(5_000_000),
        ("web_2eservice", "Service", "Type") => Text("notify"),
        ("job_407_2eservice", "Service", "Type") => Text("oneshot"),
        ("web_2eservice", "Service", "NRestarts") => Small(3),
        ("job_407_2eservice", "Service", "NRestarts") => Small(0),
        ("web_2eservice", "Service", "TasksCurrent") => Large(12),
        // All bits set: it is not counted, or has no limit.
        ("job_407_2eservice", "Service", "TasksCurrent") => Large(u64::MAX),
        ("web_2eservice", "Service", "TasksMax") => Large(4_915),
        ("job_407_2eservice", "Service", "TasksMax") => Large(u64::MAX),
        (_, "Unit", "ActiveEnterTimestamp") => Large(1_700_000_123_456_789),
        ("web_2esocket", "Socket", "NAccepted") => Small(77),
        ("web_2esocket", "Socket", "NConnections") => Small(2),
        ("web_2esocket", "Socket", "NRefused") => Small(1),
        ("backup_2etimer", "Timer", "LastTriggerUSec") => Large(1_700_000_001_000_000),
        (_, "Service", "ExecMainStatus") => Signed(0),
        ("_31", "Session", "Remote") => Switch(false),
        ("_31", "Session", "Type") => Text("wayland"),
        ("_31", "Session", "Class") => Text("user"),
        ("_32", "Session", "Remote") => Switch(true),
        ("_32", "Session", "Type") => Text("tty"),
        ("_32", "Session", "Class") => Text("user-light"),
        _ => return None,
    })
}
