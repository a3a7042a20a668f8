//! By which names pages may be asked for where nobody has to say who they are.

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};

/// Answers only requests to `localhost` or to an address. A page of elsewhere whose name was made to
/// lead here (DNS rebinding) asks by that name: it gets 421, and could read everything else.
pub fn only_by_address(router: Router) -> Router {
    router.layer(middleware::from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    if is_local(&request) {
        return next.run(request).await;
    }
    let why = "ask by localhost or by the address: names are accepted only where tokens or client \
               certificates are asked for\n";
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

fn is_local(request: &Request) -> bool {
    let named = request.headers().get(header::HOST);
    let named = named.and_then(|value| Authority::try_from(value.as_bytes()).ok());
    let mut all = request
        .uri()
        .authority()
        .into_iter()
        .chain(&named)
        .peekable();
    all.peek().is_some() && all.all(|authority| is_address(authority.host()))
}

fn is_address(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || address.unwrap_or(host).parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};
    use tower::ServiceExt as _;

    use super::*;

    async fn status(host: Option<&str>) -> StatusCode {
        let router = only_by_address(Router::new().route("/", get(async || "")));
        let mut request = Request::builder().uri("/");
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        let request = request.body(Body::empty()).expect("a request");
        router.oneshot(request).await.expect("an answer").status()
    }

    #[tokio::test]
    async fn names_that_lead_here_are_not_answered() {
        for host in [
            "localhost",
            "LOCALHOST:7752",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
        ] {
            assert_eq!(status(Some(host)).await, StatusCode::OK, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "",
        ] {
            let answer = status(Some(host)).await;
            assert_eq!(answer, StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
        assert_eq!(status(None).await, StatusCode::MISDIRECTED_REQUEST);
    }
}
