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

/// A query's value as `{"resultType":...,"result":...}`. Written by hand: a range query's points are the bulk of all that is served.
pub(crate) fn query_value(value: &QueryValue) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let open = |out: &mut Vec<u8>, kind: &str| {
        out.extend_from_slice(format!("{{\"resultType\":\"{kind}\",\"result\":").as_bytes())
    };
    match value {
        QueryValue::Scalar(p) => {
            open(&mut out, "scalar");
            float_point(&mut out, p.t, p.v);
        }
        QueryValue::String(t, text) => {
            open(&mut out, "string");
            out.push(b'[');
            time(&mut out, *t);
            out.push(b',');
            string(&mut out, text);
            out.push(b']');
        }
        QueryValue::Vector(samples) => {
            open(&mut out, "vector");
            list(&mut out, samples, |out, sample| {
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
            open(&mut out, "matrix");
            list(&mut out, series, |out, series| {
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
    out
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

fn time(out: &mut Vec<u8>, t: TimeMs) {
    let (sign, t) = if t < 0 { ("-", t.unsigned_abs()) } else { ("", t.unsigned_abs()) };
    out.extend_from_slice(format!("{sign}{}", t / 1000).as_bytes());
    if t % 1000 != 0 {
        out.extend_from_slice(format!(".{:03}", t % 1000).as_bytes());
    }
}

fn float(out: &mut Vec<u8>, v: f64) {
    out.push(b'"');
    // As Prometheus: an exponent only where the plain form would be long.
    let plain = v == 0.0 || !v.is_finite() || (1e-6..1e21).contains(&v.abs());
    let text = if plain { PlainFloat(v).to_string() } else { ExponentFloat(v).to_string() };
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
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
        let text = |v: &QueryValue| String::from_utf8(query_value(v)).unwrap();
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
}
