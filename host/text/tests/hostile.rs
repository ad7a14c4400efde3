//! Nothing that is read here may panic, whatever it is.

use proptest::prelude::*;
use watchglass_text::template::{ANY_LIST, Funcs, Limits, Options, Param, Params, Templates, Value};
use watchglass_text::{gofmt, gotime, toml, yaml};

/// Pieces from which something like a template comes about.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "text",
    "é",
    ".",
    ".x",
    ".a.b",
    "$",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
    ",",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
    "\"s\"",
    "`r`",
    "'c'",
    "1",
    "-1",
    "1.5",
    "0x",
    "1e9",
    "_",
    "print",
    "printf",
    "\"%*d %[2]v %q\"",
    "len",
    "index",
    "slice",
    "and",
    "or",
    "not",
    "eq",
    "lt",
    "html",
    "js",
    "urlquery",
    "call",
    "list",
    "/*",
    "*/",
];

fn run(text: &str) {
    let mut funcs = Funcs::new();
    funcs.add("list", Params::variadic(&[Param::Any]), |args| Ok(Value::list(&ANY_LIST, args.to_vec())));
    let limits = Limits { output: 10_000, steps: 2_000, depth: 20 };
    let options = Options { limits, ..Options::default() };
    let mut templates = Templates::new();
    if templates.parse("t", text, &funcs).is_ok() {
        let data = Value::list(&ANY_LIST, vec![Value::Int(1), "x".into(), Value::Nil]);
        if let Ok(out) = templates.execute("t", &data, &funcs, &options) {
            assert!(out.len() <= 10_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn templates_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        run(&pieces.concat());
        run(&pieces.join(" "));
        run(&format!("{{{{ {} }}}}", pieces.join(" ")));
    }

    #[test]
    fn templates_of_anything(text in ".{0,60}") {
        run(&text);
        run(&format!("{{{{ {text} }}}}"));
        run(&format!("{{{{ printf {text:?} 1 `a` 2.5 nil . }}}}"));
    }

    #[test]
    fn formats(format in "[%+#0 \\-*.\\[\\]a-zA-Z0-9é]{0,20}", n in any::<i64>(), x in any::<f64>()) {
        let format = gofmt::quote(&format, false);
        run(&format!("{{{{ printf {format} {n} `é` nil }}}}"));
        for verb in ['e', 'f', 'g', 'x'] {
            for precision in [None, Some(0), Some(3), Some(20)] {
                let shown = gofmt::float(x, verb, precision);
                prop_assert!(!shown.is_empty());
                if verb != 'x' && precision.is_none() && x.is_finite() {
                    prop_assert_eq!(shown.parse::<f64>().map(f64::to_bits), Ok(x.to_bits()));
                }
            }
        }
    }

    #[test]
    fn quotes_come_back(text in any::<String>()) {
        let quoted = gofmt::quote(&text, true);
        prop_assert!(quoted.is_ascii());
        prop_assert_eq!(gofmt::unquote(&quoted), Some(text.clone()));
        prop_assert_eq!(gofmt::unquote(&gofmt::quote(&text, false)), Some(text));
    }

    #[test]
    fn times(layout in "[0-9 :.,_\\-ZMJanop+T]{0,20}", text in ".{0,20}", ms in any::<i64>()) {
        let time = gotime::Time::from_ms(ms);
        let shown = time.format(&layout);
        let _ = gotime::Time::parse(&layout, &shown);
        let _ = gotime::Time::parse(&layout, &text);
        let _ = time.add(gotime::Duration(ms)).add_date(ms, ms, ms);
        let _ = time.rounded(gotime::Duration(ms), true);
        let _ = gotime::Duration(ms).rounded(gotime::Duration(ms / 3), true).to_string();
    }

    #[test]
    fn files(text in "[-a-c:\\[\\]{}\"'|>&*#!%\n\t 0-9=.,é]{0,60}") {
        if let Err(e) = yaml::from_str::<serde_json::Value>(&text, "f.yml") {
            prop_assert!(e.to_string().starts_with("f.yml:"));
        }
        if let Err(e) = toml::from_str::<serde_json::Value>(&text, "f.toml") {
            prop_assert!(e.to_string().starts_with("f.toml:"));
        }
    }
}

/// The deepest templates there are, on a stack as small as that of a runtime's thread.
#[test]
fn nesting_fits_the_stack() {
    let run = || {
        for n in [50, 99, 1_000, 100_000] {
            super_nested("{{ ", "(", "1", ")", " }}", n);
            super_nested("", "{{ if 1 }}", "x", "{{ end }}", "", n);
            super_nested("", "{{ with 1 }}", "x", "{{ end }}", "", n);
            super_nested("", "{{ if 0 }}x{{ else if 0 }}", "x", "", "{{ end }}", n);
        }
        run_recursive();
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

fn super_nested(head: &str, open: &str, middle: &str, close: &str, tail: &str, n: usize) {
    run(&format!("{head}{}{middle}{}{tail}", open.repeat(n), close.repeat(n)));
}

fn run_recursive() {
    let mut templates = Templates::new();
    let funcs = Funcs::new();
    let text = "{{ define \"a\" }}{{ if true }}{{ with (print (print (print .))) }}{{ template \"a\" (print (print .)) }}{{ end }}{{ end }}{{ end }}{{ template \"a\" `x` }}";
    templates.parse("t", text, &funcs).unwrap();
    let limits = Limits { depth: 100_000, ..Limits::default() };
    let error = templates.execute("t", &Value::Nil, &funcs, &Options { limits, ..Options::default() }).unwrap_err();
    assert!(error.message.contains("levels of nesting"), "{error}");
}
