//! The functions of Alertmanager's templates (0.33, and what 0.34 added).

use std::collections::BTreeMap;

use watchglass_model::{TimeMs, go_regex, parse_go_float};
use watchglass_text::gofmt;
use watchglass_text::gotime::{Duration, Time};
use watchglass_text::template::{ANY_LIST, ANY_MAP, Funcs, Param, Params, Scope, Value};

use super::json;

static APPEND: [Param; 2] = [Param::Class(&ANY_LIST), Param::Any];
const ONE: Params = Params::fixed(&[Param::String]);
const TWO: Params = Params::fixed(&[Param::String, Param::String]);

/// All functions; `now` is what `now` and `since` go by.
pub fn functions(now: TimeMs) -> Funcs<'static> {
    let mut funcs = Funcs::new();
    texts(&mut funcs);
    times(&mut funcs, now);
    collections(&mut funcs);
    funcs.add("toJson", Params::fixed(&[Param::Any]), |args| json::value(&args[0]).map(Value::from));
    funcs.add_scoped("routeLabels", ONE, route_label);
    funcs
}

fn text(args: &[Value], at: usize) -> &str {
    args.get(at).and_then(Value::as_str).unwrap_or_default()
}

fn texts(funcs: &mut Funcs<'static>) {
    funcs
        .add("toUpper", ONE, |args| {
            Ok(text(args, 0).chars().map(|c| single(c, c.to_uppercase())).collect::<String>().into())
        })
        .add("toLower", ONE, |args| Ok(text(args, 0).chars().map(lower).collect::<String>().into()))
        .add("title", ONE, |args| Ok(title(text(args, 0)).into()))
        .add("trimSpace", ONE, |args| Ok(text(args, 0).trim().into()))
        .add("join", Params::fixed(&[Param::String, Param::Strings]), |args| {
            let parts: Vec<&str> = args[1].items().iter().filter_map(Value::as_str).collect();
            Ok(parts.join(text(args, 0)).into())
        })
        .add("match", TWO, |args| {
            let regex = go_regex(text(args, 0)).map_err(|e| format!("error parsing regexp: {}", e.reason))?;
            Ok(Value::Bool(regex.is_match(text(args, 1))))
        })
        .add("reReplaceAll", Params::fixed(&[Param::String, Param::String, Param::String]), |args| {
            let pattern = text(args, 0);
            let regex = go_regex(pattern)
                .map_err(|e| format!("regexp: Compile(`{pattern}`): error parsing regexp: {}", e.reason))?;
            Ok(regex.replace_all(text(args, 2), text(args, 1)).into_owned().into())
        })
        // Marks for HTML, which is not made here.
        .add("safeHtml", ONE, |args| Ok(args[0].clone()))
        .add("safeUrl", ONE, |args| Ok(args[0].clone()))
        .add("urlUnescape", ONE, |args| url_unescape(text(args, 0)).map(Value::from))
        .add("stringSlice", Params::variadic(&[Param::String]), |args| {
            Ok(Value::strings(args.iter().filter_map(Value::as_str)))
        })
        .add("base64encode", ONE, |args| Ok(base64_encode(text(args, 0).as_bytes()).into()))
        .add("base64decode", ONE, |args| base64_decode(text(args, 0)).map(Value::from))
        .add("humanizeDuration", Params::fixed(&[Param::Any]), |args| humanize_duration(&args[0]).map(Value::from));
}

fn times(funcs: &mut Funcs<'static>, now: TimeMs) {
    let time = |value: &Value| match value {
        Value::Time(t) => t.clone(),
        _ => Time::zero(),
    };
    funcs
        .add("date", Params::fixed(&[Param::String, Param::Time]), move |args| {
            Ok(time(&args[1]).format(text(args, 0)).into())
        })
        .add("tz", Params::fixed(&[Param::String, Param::Time]), move |args| {
            time(&args[1]).in_zone(text(args, 0)).map(Value::Time)
        })
        .add("now", Params::fixed(&[]), move |_| Ok(Value::Time(Time::from_ms(now))))
        .add("since", Params::fixed(&[Param::Time]), move |args| {
            Ok(Value::Duration(Time::from_ms(now).since(&time(&args[0]))))
        })
        .add("toDate", TWO, |args| {
            Ok(Value::Time(Time::parse(text(args, 0), text(args, 1)).unwrap_or_else(|_| Time::zero())))
        })
        .add("mustToDate", TWO, |args| Time::parse(text(args, 0), text(args, 1)).map(Value::Time));
}

fn collections(funcs: &mut Funcs<'static>) {
    const ANY: Params = Params::variadic(&[Param::Any]);
    funcs
        .add("list", ANY, |args| shallow(Value::list(&ANY_LIST, args.to_vec())))
        .add("append", Params::variadic(&APPEND), |args| {
            let items = args[0].items().iter().chain(&args[1..]).cloned().collect();
            shallow(Value::list(&ANY_LIST, items))
        })
        .add("dict", ANY, |args| {
            if args.len() % 2 != 0 {
                return Err("dict requires an even number of arguments".to_owned());
            }
            let mut entries = BTreeMap::new();
            for pair in args.chunks(2) {
                let key = pair[0].as_str().ok_or("dict keys must be strings")?;
                entries.insert(key.to_owned(), pair[1].clone());
            }
            shallow(Value::map(&ANY_MAP, entries))
        });
}

/// Refuses what lies too deep in itself.
fn shallow(value: Value) -> Result<Value, String> {
    if value.depth() > Value::MAX_DEPTH {
        return Err(format!("more than {} lists and maps in each other", Value::MAX_DEPTH));
    }
    Ok(value)
}

/// A label of the route; a template itself, which may ask for others.
fn route_label(scope: &Scope<'_>, args: &[Value]) -> Result<Value, String> {
    let label = scope.data.get("RouteLabels").and_then(|labels| labels.get(text(args, 0))).and_then(Value::as_str);
    match label {
        // The engine's limit on depth ends a circle.
        Some(label) => scope.render_text(label, scope.data).map(Value::from).map_err(|e| e.to_string()),
        None => Ok(Value::from("")),
    }
}

/// Go changes case character by character: what would become several stays.
fn single(c: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(changed), None) => changed,
        _ => c,
    }
}

/// The first letter of each word in upper case, the others in lower case.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Whether a word goes on here, and whether its first letter was seen.
    let (mut in_word, mut titled) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() {
            titled &= in_word;
            in_word = true;
            out.push(if titled { lower(c) } else { single(c, c.to_uppercase()) });
            titled |= c.is_alphabetic();
        } else {
            // An apostrophe or point between letters doesn't end a word, nor does an underscore.
            let joins = matches!(c, '\'' | '’' | '.' | ':') && chars.peek().is_some_and(|c| c.is_alphabetic());
            in_word = in_word && (joins || c == '_');
            out.push(c);
        }
    }
    out
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// Undoes percent encoding; a plus is a space, as in a query.
fn url_unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['%', '+']) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix('+') {
            bytes.push(b' ');
            rest = behind;
            continue;
        }
        let byte = rest
            .get(1..3)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        let Some(byte) = byte else {
            let shown: String = rest.chars().take(3).collect();
            return Err(format!("invalid URL escape {}", gofmt::quote(&shown, false)));
        };
        bytes.push(byte);
        rest = &rest[3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The alphabet for URLs, which is the one that Alertmanager's templates take.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base 64 in its usual alphabet.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64_encode(bytes).replace('-', "+").replace('_', "/")
}

/// A text as it stands in a form or a query.
pub(crate) fn url_escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().enumerate().fold(0u32, |n, (i, b)| n | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let shown = i <= chunk.len();
            out.push(if shown { char::from(BASE64[(n >> (18 - 6 * i) & 63) as usize]) } else { '=' });
        }
    }
    out
}

fn base64_decode(text: &str) -> Result<String, String> {
    let clean: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let wrong = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut out = Vec::with_capacity(clean.len() / 4 * 3);
    for (i, chunk) in clean.chunks(4).enumerate() {
        let last = 4 * (i + 1) >= clean.len();
        let padding = chunk.iter().rev().take_while(|b| **b == b'=').count();
        if chunk.len() < 4 || padding > 2 || (padding > 0 && !last) {
            return Err(wrong(4 * i));
        }
        let mut n = 0u32;
        for (k, byte) in chunk[..4 - padding].iter().enumerate() {
            let digit = BASE64.iter().position(|b| b == byte).ok_or_else(|| wrong(4 * i + k))?;
            n |= (digit as u32) << (18 - 6 * k);
        }
        out.extend((0..3 - padding).map(|k| (n >> (16 - 8 * k)) as u8));
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(x) => Ok(*x),
        Value::Int(n) => Ok(*n as f64),
        Value::Duration(Duration(n)) => Ok(*n as f64 / 1e9),
        Value::String(text) => parse_go_float(text)
            .ok_or_else(|| format!("strconv.ParseFloat: parsing {}: invalid syntax", gofmt::quote(text, false))),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

/// Seconds as people say them: `1d 2h 3m 4s`, `120ms`.
fn humanize_duration(value: &Value) -> Result<String, String> {
    let seconds = float(value)?;
    let four = |x: f64| gofmt::float(x, 'g', Some(4));
    if !seconds.is_finite() {
        return Ok(four(seconds));
    }
    if seconds == 0.0 {
        return Ok("0s".to_owned());
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let size = seconds.abs();
    if size < 1.0 {
        let (mut size, mut prefix) = (size, "");
        for next in ["m", "u", "n", "p", "f", "a", "z", "y"] {
            if size >= 1.0 {
                break;
            }
            (size, prefix) = (size * 1000.0, next);
        }
        return Ok(format!("{sign}{}{prefix}s", four(size)));
    }
    let whole = size as u64;
    let (s, m, h, d) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86400);
    Ok(match (d, h, m) {
        (0, 0, 0) => format!("{sign}{}s", four(size)),
        (0, 0, m) => format!("{sign}{m}m {s}s"),
        (0, h, m) => format!("{sign}{h}h {m}m {s}s"),
        (d, h, m) => format!("{sign}{d}d {h}h {m}m {s}s"),
    })
}
