//! What the door says by HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, AUTHORIZATION, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, SERVER,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::door::{Refusal, Sessions};
use super::far::{OfferError, Purpose};

const SDP: &str = "application/sdp";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const US: &str = concat!("jiho/", env!("CARGO_PKG_VERSION"));
/// A longer offer is none.
const MAX_OFFER_BYTES: usize = 64 * 1024;

type Shared = State<Arc<Sessions>>;

/// Serves until told to stop.
pub(super) async fn serve(listener: TcpListener, sessions: Arc<Sessions>, stop: oneshot::Receiver<()>) {
    let endpoint = |post: MethodRouter<Arc<Sessions>>| post.get(nothing).options(options);
    let router = Router::new()
        .route("/whip/{name}", endpoint(axum::routing::post(publish)))
        .route("/whep/{name}", endpoint(axum::routing::post(play_all)))
        .route("/whep/{name}/{speaker}", endpoint(axum::routing::post(play)))
        .route("/sessions/{id}", get(nothing).delete(end).patch(negotiate_again).options(options))
        .fallback(any(|| async { (StatusCode::NOT_FOUND, "there is /whip/NAME, /whep/NAME and /whep/NAME/SPEAKER\n") }))
        .layer(middleware::from_fn(everywhere))
        .layer(DefaultBodyLimit::max(MAX_OFFER_BYTES))
        .with_state(sessions);
    // It only ends when it is told to.
    let _ = axum::serve(listener, router).with_graceful_shutdown(async { drop(stop.await) }).await;
}

/// What all answers have: pages of anybody may come by this door, and see what it says (CORS).
async fn everywhere(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(US));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Location, ETag, Retry-After, Server"));
    response
}

/// An endpoint, or a session, has nothing to show.
async fn nothing() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn options() -> Response {
    let headers = [
        (ACCEPT_POST, SDP),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, DELETE, OPTIONS, GET"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
    ];
    (StatusCode::OK, headers).into_response()
}

async fn publish(State(state): Shared, Path(name): Path<String>, headers: HeaderMap, offer: String) -> Response {
    make(state, name, Purpose::Publish, &headers, offer).await
}

async fn play_all(State(state): Shared, Path(name): Path<String>, headers: HeaderMap, offer: String) -> Response {
    make(state, name, Purpose::Play(None), &headers, offer).await
}

async fn play(
    State(state): Shared,
    Path((name, speaker)): Path<(String, String)>,
    headers: HeaderMap,
    offer: String,
) -> Response {
    make(state, name, Purpose::Play(Some(speaker)), &headers, offer).await
}

async fn make(sessions: Arc<Sessions>, name: String, purpose: Purpose, headers: &HeaderMap, offer: String) -> Response {
    if let Some(response) = forbidden(&sessions, headers).or_else(|| foreign(headers)) {
        return response;
    }
    // Whoever goes away without waiting for the answer is not to leave half a session behind.
    let made = tokio::spawn(async move { sessions.make(&name, purpose, &offer).await }).await;
    match made.unwrap_or_else(|error| Err(Refusal::Host(error.to_string()))) {
        Ok(made) => {
            let headers = [
                (CONTENT_TYPE, SDP.to_owned()),
                (LOCATION, format!("/sessions/{}", made.id)),
                (ETAG, format!("\"{}\"", made.tag)),
            ];
            (StatusCode::CREATED, headers, made.answer).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

async fn end(State(sessions): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Some(response) = forbidden(&sessions, &headers) {
        return response;
    }
    match sessions.end(&id).await {
        true => StatusCode::OK.into_response(),
        false => no_session(),
    }
}

/// Neither candidates one by one nor ICE restarts: RFC 9725 has 405 for that.
async fn negotiate_again(State(sessions): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Some(response) = forbidden(&sessions, &headers) {
        return response;
    }
    if !sessions.is_there(&id).await {
        return no_session();
    }
    let text = "a session is not changed: offer all candidates at once, and post anew in place of an ICE restart\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, DELETE, OPTIONS")], text).into_response()
}

fn no_session() -> Response {
    (StatusCode::NOT_FOUND, "there is no such session\n").into_response()
}

/// Nobody gets in without the room's secret (RFC 6750).
fn forbidden(sessions: &Sessions, headers: &HeaderMap) -> Option<Response> {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let wrong = match token {
        Some(token) if !token.is_empty() && token == sessions.settings.token => return None,
        Some(_) => "Bearer error=\"invalid_token\"",
        None => "Bearer",
    };
    let text = "the bearer token has to be the room's\n";
    Some((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, wrong)], text).into_response())
}

/// Both sides speak SDP.
fn foreign(headers: &HeaderMap) -> Option<Response> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if text(CONTENT_TYPE).map(kind).as_deref() != Some(SDP) {
        let text = "an offer is application/sdp\n";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, [(ACCEPT_POST, SDP)], text).into_response());
    }
    let accepted = |value: &str| matches!(kind(value).as_str(), SDP | "application/*" | "*/*" | "");
    if text(ACCEPT).is_some_and(|accept| !accept.split(',').any(accepted)) {
        return Some((StatusCode::NOT_ACCEPTABLE, "an answer is application/sdp\n").into_response());
    }
    None
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Name(_) | Refusal::Mixed => StatusCode::NOT_FOUND,
        Refusal::Taken(_) | Refusal::Silent(_) | Refusal::Refused { .. } => StatusCode::CONFLICT,
        Refusal::Offer(OfferError::Malformed(_)) => StatusCode::BAD_REQUEST,
        Refusal::Offer(OfferError::Unusable(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Relay(_) | Refusal::Host(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, format!("{refusal}\n")).into_response();
    if matches!(refusal, Refusal::Silent(_)) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
