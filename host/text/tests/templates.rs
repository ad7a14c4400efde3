//! The template engine against Go: `templates/cases.txt` holds templates and what Go's text/template makes of them.

use std::collections::BTreeMap;
use std::path::Path;

use watchglass_text::gotime::{Duration, Time};
use watchglass_text::template::{
    ANY_LIST, ANY_MAP, Class, Funcs, Method, MissingKey, Options, Param, Params, STRING_LIST, Templates, Value, Zero,
};

/// Cases in which we differ from Go, with the reason.
const KNOWN: &[(&str, &str)] = &[
    ("{{ len nil }}", "Go shows a panic of its reflection"),
    ("{{ call .Name }}", "functions are no values here; the callee's text is not at hand"),
];

static KV: Class = Class {
    name: "main.KV",
    zero: Zero::String,
    methods: &[
        Method { name: "SortedPairs", params: Params::fixed(&[]), call: |kv, _| Ok(sorted_pairs(kv)) },
        Method { name: "Get", params: Params::variadic(&[Param::String, Param::String]), call: get },
    ],
};
static KV_PARAM: [Param; 1] = [Param::Class(&KV)];
static PAIR: Class = Class { name: "main.Pair", zero: Zero::Nil, methods: &[] };
static PAIRS: Class = Class {
    name: "main.Pairs",
    zero: Zero::Nil,
    methods: &[Method { name: "Values", params: Params::fixed(&[]), call: |pairs, _| Ok(values(pairs)) }],
};
static DATA: Class = Class { name: "main.Data", zero: Zero::Nil, methods: &[] };

fn sorted_pairs(kv: &Value) -> Value {
    let Value::Map(map) = kv else { return Value::Nil };
    let pair = |(k, v): (&String, &Value)| {
        Value::object(&PAIR, vec![("Name", "name", Value::from(k.as_str())), ("Value", "value", v.clone())])
    };
    Value::list(&PAIRS, map.entries.iter().map(pair).collect())
}

fn get(kv: &Value, args: &[Value]) -> Result<Value, String> {
    let found = kv.get(args[0].as_str().unwrap_or_default()).cloned();
    let fallback: Vec<&str> = args[1..].iter().filter_map(Value::as_str).collect();
    Ok(found.unwrap_or_else(|| Value::from(fallback.join("|"))))
}

fn values(pairs: &Value) -> Value {
    Value::list(&STRING_LIST, pairs.items().iter().filter_map(|p| p.get("Value").cloned()).collect())
}

fn data() -> Value {
    let any = |pairs: Vec<(&str, Value)>| {
        Value::map(&ANY_MAP, pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<BTreeMap<_, _>>())
    };
    let list = Value::list(&ANY_LIST, vec![Value::Int(1), "x".into(), Value::Nil, Value::Float(2.5)]);
    let labels = Value::string_map(&KV, [("severity", "critical"), ("instance", "a:1"), ("zone", "")]);
    let mixed = vec![Value::Int(1), "a".into(), Value::Float(2.5), true.into(), Value::Nil];
    let fields = vec![
        ("Name", "héllo <b>".into()),
        ("Labels", labels),
        ("Int", Value::Int(42)),
        ("Zero", Value::Int(0)),
        ("Float", Value::Float(1.5)),
        ("Big", Value::Float(1234567.0)),
        ("True", true.into()),
        ("Time", Value::Time(Time::from_ms(1_435_065_584_128))),
        ("Dur", Value::Duration(Duration::from_ms(90_500))),
        ("List", Value::strings(["x", "y", "z"])),
        ("None", Value::nil_list(&STRING_LIST)),
        (
            "Any",
            any(vec![
                ("a", Value::Int(1)),
                ("b", "two".into()),
                ("nil", Value::Nil),
                ("list", list),
                ("map", any(vec![("k", Value::Float(1e6))])),
            ]),
        ),
        ("Mixed", Value::list(&ANY_LIST, mixed)),
    ];
    Value::object(&DATA, fields.into_iter().map(|(name, value)| (name, name, value)).collect())
}

fn text(args: &[Value], at: usize) -> &str {
    args.get(at).and_then(Value::as_str).unwrap_or_default()
}

fn strings(args: &[Value]) -> Vec<&str> {
    args.iter().filter_map(Value::as_str).collect()
}

fn funcs() -> Funcs<'static> {
    use Param::*;
    let mut funcs = Funcs::new();
    funcs
        .add("upper", Params::fixed(&[String]), |args| Ok(text(args, 0).to_uppercase().into()))
        .add("join", Params::fixed(&[String, Strings]), |args| Ok(strings(args[1].items()).join(text(args, 0)).into()))
        .add("fail", Params::fixed(&[String]), |args| Err(format!("failed: {}", text(args, 0))))
        .add("half", Params::fixed(&[Float]), |args| match args[0] {
            Value::Float(x) => Ok(Value::Float(x / 2.0)),
            _ => Err("no float".to_owned()),
        })
        .add("twice", Params::fixed(&[Int]), |args| match args[0] {
            Value::Int(n) => Ok(Value::Int(2 * n)),
            _ => Err("no int".to_owned()),
        })
        .add("isTrue", Params::fixed(&[Bool]), |args| Ok(args[0].clone()))
        .add("kv", Params::fixed(&KV_PARAM), |args| match &args[0] {
            Value::Map(map) => Ok(Value::Int(map.entries.len() as i64)),
            _ => Ok(Value::Int(0)),
        })
        .add("any", Params::variadic(&[Any]), |args| Ok(Value::Int(args.len() as i64)))
        .add("pair", Params::variadic(&[String, String]), |args| {
            Ok(format!("{}:{}", text(args, 0), strings(&args[1..]).join("+")).into())
        })
        .add("later", Params::fixed(&[Duration]), |args| match args[0] {
            Value::Duration(d) => Ok(d.to_string().into()),
            _ => Err("no duration".to_owned()),
        })
        .add("year", Params::fixed(&[Time]), |args| match &args[0] {
            Value::Time(t) => Ok(Value::Int(i64::from(t.civil().year()))),
            _ => Err("no time".to_owned()),
        });
    funcs
}

fn run(line: &str) -> String {
    let (missing_key, text) = match line.split_once('!') {
        Some(("zero", text)) => (MissingKey::Zero, text),
        Some(("error", text)) => (MissingKey::Error, text),
        _ => (MissingKey::Default, line),
    };
    let (mut templates, funcs) = (Templates::new(), funcs());
    let options = Options { missing_key, ..Options::default() };
    let result = templates
        .parse("t", &text.replace('⏎', "\n"), &funcs)
        .and_then(|()| templates.execute("t", &data(), &funcs, &options));
    let shown = match result {
        Ok(text) => format!("= {text}"),
        Err(e) => format!("=! {e}"),
    };
    shown.replace('\n', "⏎")
}

#[test]
fn templates_do_what_go_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates/cases.txt");
    let cases = std::fs::read_to_string(&path).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    let mut lines = cases.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    while let (Some(template), Some(expected)) = (lines.next(), lines.next()) {
        assert!(expected.starts_with('='), "no result below {template}");
        count += 1;
        let got = run(template);
        let known = KNOWN.iter().any(|(case, _)| *case == template);
        if (got == expected) == known {
            wrong.push(format!(
                "{template}\n  go:  {expected}\n  got: {got}{}",
                if known { " (listed as different)" } else { "" }
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 200, "only {count} cases");
}
