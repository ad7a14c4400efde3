//! Answers in the form of Prometheus' API v1.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use watchglass_model::{ExponentFloat, Histogram, PlainFloat, TimeMs, Value};
use watchglass_promql::QueryValue;

/// Why a request gets no data, in the classes of Prometheus' `errorType`.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 400: a parameter is missing or wrong.
    BadData(String),
    /// 422: the query can't be evaluated.
    Execution(String),
    /// 503: its time is over.
    Timeout(String),
    /// 503: it was cancelled, or there is no room for it.
    Canceled(String),
    /// 404.
    NotFound(String),
    /// 500.
    Internal(String),
}

impl ApiError {
    /// A wrong parameter, in Prometheus' words.
    pub(crate) fn invalid(parameter: &str, why: &str) -> ApiError {
        ApiError::BadData(format!("invalid parameter \"{parameter}\": {why}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, kind, error) = match self {
            ApiError::BadData(e) => (StatusCode::BAD_REQUEST, "bad_data", e),
            ApiError::Execution(e) => (StatusCode::UNPROCESSABLE_ENTITY, "execution", e),
            ApiError::Timeout(e) => (StatusCode::SERVICE_UNAVAILABLE, "timeout", e),
            ApiError::Canceled(e) => (StatusCode::SERVICE_UNAVAILABLE, "canceled", e),
            ApiError::NotFound(e) => (StatusCode::NOT_FOUND, "not_found", e),
            ApiError::Internal(e) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", e),
        };
        let body = serde_json::json!({ "status": "error", "errorType": kind, "error": error });
        (status, axum::Json(body)).into_response()
    }
}

/// `{"status":"success","data":...}`.
pub(crate) fn success(data: impl Serialize) -> Response {
    success_with(data, &[], &[])
}

/// A success with Prometheus' `warnings` and `infos`, where there are any.
pub(crate) fn success_with(data: impl Serialize, warnings: &[String], infos: &[String]) -> Response {
    #[derive(Serialize)]
    struct Body<'a, T> {
        status: &'static str,
        data: T,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        warnings: &'a [String],
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        infos: &'a [String],
    }
    match serde_json::to_vec(&Body { status: "success", data, warnings, infos }) {
        Ok(body) => json(body),
        Err(e) => ApiError::Internal(format!("bug: an answer can't be written as JSON: {e}")).into_response(),
    }
}

/// A body that is JSON already.
pub(crate) fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A query's answer. Written by hand and at one go: a range query's points are the bulk of all that is served.
pub(crate) fn query_success(value: &QueryValue, warnings: &[String], infos: &[String]) -> Response {
    let mut out = b"{\"status\":\"success\",\"data\":".to_vec();
    query_value(&mut out, value);
    for (name, notes) in [("warnings", warnings), ("infos", infos)] {
        if !notes.is_empty() {
            out.push(b',');
            string(&mut out, name);
            out.push(b':');
            list(&mut out, notes, |out, note| string(out, note));
        }
    }
    out.push(b'}');
    json(out)
}

/// `{"resultType":...,"result":...}`
fn query_value(out: &mut Vec<u8>, value: &QueryValue) {
    let open = |out: &mut Vec<u8>, kind: &str| {
        out.extend_from_slice(b"{\"resultType\":");
        string(out, kind);
        out.extend_from_slice(b",\"result\":");
    };
    match value {
        QueryValue::Scalar(p) => {
            open(out, "scalar");
            float_point(out, p.t, p.v);
        }
        QueryValue::String(t, text) => {
            open(out, "string");
            out.push(b'[');
            time(out, *t);
            out.push(b',');
            string(out, text);
            out.push(b']');
        }
        QueryValue::Vector(samples) => {
            open(out, "vector");
            out.reserve(samples.len() * 128);
            list(out, samples, |out, sample| {
                out.extend_from_slice(b"{\"metric\":");
                labels(out, &sample.labels);
                match &sample.value {
                    Value::Float(v) => {
                        out.extend_from_slice(b",\"value\":");
                        float_point(out, sample.t, *v);
                    }
                    Value::Histogram(h) => {
                        out.extend_from_slice(b",\"histogram\":");
                        histogram_point(out, sample.t, h);
                    }
                }
                out.push(b'}');
            });
        }
        QueryValue::Matrix(series) => {
            open(out, "matrix");
            out.reserve(series.iter().map(|s| 128 + 32 * s.floats.len()).sum());
            list(out, series, |out, series| {
                out.extend_from_slice(b"{\"metric\":");
                labels(out, &series.labels);
                if !series.floats.is_empty() {
                    out.extend_from_slice(b",\"values\":");
                    list(out, &series.floats, |out, p| float_point(out, p.t, p.v));
                }
                if !series.histograms.is_empty() {
                    out.extend_from_slice(b",\"histograms\":");
                    list(out, &series.histograms, |out, p| histogram_point(out, p.t, &p.h));
                }
                out.push(b'}');
            });
        }
    }
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn labels(out: &mut Vec<u8>, labels: &watchglass_model::Labels) {
    out.push(b'{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

fn string(out: &mut Vec<u8>, text: &str) {
    // Writing a str into memory can't fail.
    let _ = serde_json::to_writer(out, text);
}

fn whole(out: &mut Vec<u8>, n: u64) {
    let _ = serde_json::to_writer(out, &n);
}

fn time(out: &mut Vec<u8>, t: TimeMs) {
    if t < 0 {
        out.push(b'-');
    }
    let t = t.unsigned_abs();
    whole(out, t / 1000);
    let ms = (t % 1000) as u16;
    if ms != 0 {
        let digit = |d: u16| b'0' + (d % 10) as u8;
        out.extend_from_slice(&[b'.', digit(ms / 100), digit(ms / 10), digit(ms)]);
    }
}

/// Whole numbers below this are written digit by digit: an eighth of what shortest digits of any double would cost.
const WHOLE_MAX: f64 = 1e15;

fn float(out: &mut Vec<u8>, v: f64) {
    out.push(b'"');
    let size = v.abs();
    if size < WHOLE_MAX && size.trunc() == size {
        if v.is_sign_negative() {
            out.push(b'-');
        }
        whole(out, size as u64);
    } else if !short_float(out, v) {
        // As Prometheus: an exponent only where the plain form would be long.
        let plain = !v.is_finite() || (1e-6..1e21).contains(&size);
        let text = if plain { PlainFloat(v).to_string() } else { ExponentFloat(v).to_string() };
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// Writes the fewest digits where they need no exponent; else writes nothing and says so.
fn short_float(out: &mut Vec<u8>, v: f64) -> bool {
    let from = out.len();
    // Of what isn't finite this writes `null`.
    if v.is_finite() && serde_json::to_writer(&mut *out, &v).is_ok() && !out[from..].contains(&b'e') {
        if out.ends_with(b".0") {
            out.truncate(out.len() - 2);
        }
        return true;
    }
    out.truncate(from);
    false
}

fn float_point(out: &mut Vec<u8>, t: TimeMs, v: f64) {
    out.push(b'[');
    time(out, t);
    out.push(b',');
    float(out, v);
    out.push(b']');
}

fn histogram_point(out: &mut Vec<u8>, t: TimeMs, h: &Histogram) {
    out.push(b'[');
    time(out, t);
    out.extend_from_slice(b",{\"count\":");
    float(out, h.count);
    out.extend_from_slice(b",\"sum\":");
    float(out, h.sum);
    let buckets: Vec<_> = h.buckets().filter(|b| b.count != 0.0).collect();
    if !buckets.is_empty() {
        out.extend_from_slice(b",\"buckets\":");
        list(out, &buckets, |out, b| {
            // 0: open left, 1: open right, 2: open both, 3: closed both.
            let boundaries = match (b.lower_inclusive, b.upper_inclusive) {
                (false, true) => b'0',
                (true, false) => b'1',
                (false, false) => b'2',
                (true, true) => b'3',
            };
            out.extend_from_slice(&[b'[', boundaries, b',']);
            float(out, b.lower);
            out.push(b',');
            float(out, b.upper);
            out.push(b',');
            float(out, b.count);
            out.push(b']');
        });
    }
    out.extend_from_slice(b"}]");
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchglass_model::{FloatPoint, Labels, SeriesData};

    #[test]
    fn values_look_like_prometheus() {
        let text = |v: &QueryValue| {
            let mut out = Vec::new();
            query_value(&mut out, v);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(&QueryValue::Scalar(FloatPoint { t: 1_435_781_451_781, v: f64::INFINITY })),
            r#"{"resultType":"scalar","result":[1435781451.781,"+Inf"]}"#
        );
        let series = SeriesData {
            labels: Labels::from_pairs([("__name__", "up"), ("job", "a\"b")]),
            floats: vec![FloatPoint { t: 1000, v: 1.0 }, FloatPoint { t: 2005, v: 1e21 }],
            ..SeriesData::default()
        };
        assert_eq!(
            text(&QueryValue::Matrix(vec![series])),
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[1,"1"],[2.005,"1e+21"]]}]}"#
        );
    }
    #[test]
    fn floats_look_like_prometheus() {
        let text = |v: f64| {
            let mut out = Vec::new();
            float(&mut out, v);
            String::from_utf8(out).unwrap().trim_matches('"').to_owned()
        };
        let edges =
            [0.0, -0.0, 1.0, -1.5, 0.1, 1e-6, 9.9e-7, 1e-5, 123_456.789, 1e15, 1e16, 1e20, 1e21, 5e-324, f64::MAX];
        let mut bits: u64 = 1;
        let others = (0..10_000).map(|_| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from_bits(bits)
        });
        for v in edges.into_iter().chain(edges.map(|v| -v)).chain(others) {
            let plain = v == 0.0 || !v.is_finite() || (1e-6..1e21).contains(&v.abs());
            let expected = if plain { PlainFloat(v).to_string() } else { ExponentFloat(v).to_string() };
            // Where two shortest forms are equally near (a half at the last digit) Go takes the even digit, as here; Rust's own printing the other.
            let tie = text(v).len() == expected.len() && text(v).parse() == Ok(v) && expected.parse() == Ok(v);
            assert!(text(v) == expected || tie, "{} is not {expected}", text(v));
        }
        assert_eq!(text(1_888_570_120_608_320.0 + 0.25), "1888570120608320.2");
        assert_eq!([text(f64::NAN), text(f64::INFINITY), text(-1e21)], ["NaN", "+Inf", "-1e+21"]);
    }
}
