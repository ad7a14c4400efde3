//! `/api/v1/write`: the receiver of remote write 1.0 (protobuf in snappy's block format).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use watchglass_model::remote_write;

use crate::daemon::Daemon;

/// The largest request once decompressed: forty times what a sender's default shard sends.
const DECODED_BYTES_MAX: usize = 128 << 20;
/// How far in the future a sample may lie; past it a wrong clock would stop the head from moving.
const FUTURE_MS_MAX: i64 = 10 * 60 * 1000;

/// 2xx: taken. 400: will never be taken (bad data, out of order): don't send it again. 5xx: try again.
pub(crate) async fn write(State(daemon): State<Arc<Daemon>>, headers: HeaderMap, body: Bytes) -> Response {
    let refuse = |status: StatusCode, why: String| (status, why).into_response();
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    if header("content-type").contains("io.prometheus.write.v2") {
        let why =
            "remote write 2.0 is not received; let the sender use 1.0 (protobuf_message: prometheus.WriteRequest)";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why.to_owned());
    }
    let work = tokio::task::spawn_blocking(move || {
        let now = crate::now();
        let len = snap::raw::decompress_len(&body)
            .map_err(|e| (StatusCode::BAD_REQUEST, format!("body is no snappy block: {e}")))?;
        if len > DECODED_BYTES_MAX {
            return Err((
                StatusCode::BAD_REQUEST,
                format!("body of {len} bytes when decompressed; at most {DECODED_BYTES_MAX} are taken"),
            ));
        }
        let decoded = snap::raw::Decoder::new()
            .decompress_vec(&body)
            .map_err(|e| (StatusCode::BAD_REQUEST, format!("body is no snappy block: {e}")))?;
        let mut batch = remote_write::decode(&decoded).map_err(|e| (StatusCode::BAD_REQUEST, e.to_string()))?;
        let total = batch.samples.len();
        daemon.counters.add("prometheus_remote_storage_samples_in_total", &[], total as f64);
        batch.samples.retain(|s| s.t <= now + FUTURE_MS_MAX);
        let future = total - batch.samples.len();
        let appended =
            daemon.store.append(&batch, now).map_err(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
        daemon.evaluation.collected(&batch);
        match appended.first_rejected {
            Some((index, why)) => Err((
                StatusCode::BAD_REQUEST,
                format!(
                    "{why}: {} of {total} samples were not stored; the first of {}",
                    appended.rejected(),
                    batch.samples[index].labels
                ),
            )),
            None if future > 0 => {
                Err((StatusCode::BAD_REQUEST, format!("out of bounds: {future} samples lie in the future")))
            }
            None => Ok(()),
        }
    });
    match work.await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err((status, why))) => refuse(status, why),
        Err(panic) => refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("bug: a remote write panicked: {panic}")),
    }
}
