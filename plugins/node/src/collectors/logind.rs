//! Sessions (org.freedesktop.login1 over D-Bus).

use crate::dbus::{Bus, Value};
use crate::machine::{Machine, Memory};
use std::collections::BTreeMap;
use watchglass_sdk::prelude::*;

const TO: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PATH: &str = "/org/freedesktop/login1";

/// Types and classes of sessions (sd-login(3)); any other is `other`.
const TYPES: [&str; 7] = ["other", "unspecified", "tty", "x11", "wayland", "mir", "web"];
const CLASSES: [&str; 5] = ["other", "user", "greeter", "lock-screen", "background"];

/// Collects: a count for every combination, so that one which ends becomes 0.
pub(crate) fn collect(m: &Machine, _: &mut Memory, b: &mut Batch) -> Result<(), Error> {
    let mut bus = Bus::open(m.system.bus()?)?;
    let seats = bus.call(TO, PATH, MANAGER, "ListSeats", &[])?;
    let mut names: Vec<String> = seats.first().map(Value::items).unwrap_or(&[]).iter().filter_map(|s| Some(s.items().first()?.text().to_owned())).collect();
    names.push(String::new());
    let listed = bus.call(TO, PATH, MANAGER, "ListSessions", &[])?;
    let mut counts: BTreeMap<(String, bool, &str, &str), f64> = BTreeMap::new();
    for row in listed.first().map(Value::items).unwrap_or(&[]) {
        // Session, user's number, user's name, seat, path.
        let [_, _, _, seat, path] = row.items() else { continue };
        let mut property = |name: &str| bus.property(TO, path.text(), SESSION, name);
        // A session that ends meanwhile is not counted.
        let (Ok(remote), Ok(kind), Ok(class)) = (property("Remote"), property("Type"), property("Class")) else { continue };
        let known = |all: &[&'static str], v: &Value| all.iter().find(|t| **t == v.text()).copied().unwrap_or("other");
        let key = (seat.text().to_owned(), remote.number() == Some(1.0), known(&TYPES, &kind), known(&CLASSES, &class));
        *counts.entry(key).or_default() += 1.0;
    }
    for seat in &names {
        for remote in [true, false] {
            for kind in TYPES {
                for class in CLASSES {
                    let count = counts.get(&(seat.clone(), remote, kind, class)).copied().unwrap_or(0.0);
                    let labels = [("seat", seat.as_str()), ("remote", if remote { "true" } else { "false" }), ("type", kind), ("class", class)];
                    b.gauge("node_logind_sessions", "Number of sessions registered in logind.").sample(&labels, count);
                }
            }
        }
    }
    Ok(())
}
