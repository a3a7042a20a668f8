//! Pages that say why there is no answer.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::html;
use profiler_formats::{Error, text::clean};
use tonic::{Code, Status};

use super::layout::{self, Place};

/// Why a page could not be made.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// What happened.
    pub(super) message: String,
    /// What to do about it.
    hint: &'static str,
}

impl Failure {
    /// An address that is not understood.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        let hint = "Correct the address, or start again from the overview.";
        Self::new(StatusCode::BAD_REQUEST, message, hint)
    }

    pub(super) fn too_long() -> Self {
        let message = "the address is too long";
        Self::new(StatusCode::URI_TOO_LONG, message, "Choose fewer targets.")
    }

    /// A path that there is not.
    pub(super) fn no_page() -> Self {
        let message = "there is no such page";
        let hint = "The overview leads to all there are.";
        Self::new(StatusCode::NOT_FOUND, message, hint)
    }

    /// A method other than GET and HEAD.
    pub(super) fn no_method() -> Self {
        let message = "pages can only be read";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message, "Use GET or HEAD.")
    }

    /// No answer within the time that a page may take.
    pub(super) fn late() -> Self {
        let message = "the answer took too long";
        let hint = "Narrow the selection or the time, or look at the collector's own state.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, message, hint)
    }

    /// A download that could not be put together.
    pub(super) fn unmade(reason: &impl std::fmt::Display) -> Self {
        let message = format!("the answer could not be put together: {reason}");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, message, "The collector's log says more.")
    }

    fn new(status: StatusCode, message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            status,
            message: message.into(),
            hint,
        }
    }

    /// What is wrong, in a few words.
    fn title(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST => "This cannot be asked",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::METHOD_NOT_ALLOWED => "Only reading is allowed",
            StatusCode::URI_TOO_LONG => "Too long",
            StatusCode::TOO_MANY_REQUESTS => "Too much at once",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => "No answer for now",
            _ => "No answer",
        }
    }

    /// There is nothing of what was asked about, which is no mistake.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(
            self.status,
            StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED
        )
    }

    /// The same inside a page whose other parts have their answers.
    pub(super) fn part(&self) -> maud::Markup {
        html! {
            p.warn role="note" { (self.title()) ": " (clean(&self.message)) ". " (self.hint) }
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let (code, hint) = match status.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => (
                StatusCode::BAD_REQUEST,
                "Correct the selection or the times; the status page says how far back \
                 answers reach.",
            ),
            Code::NotFound => (
                StatusCode::NOT_FOUND,
                "It may have ended, or its node may be silent: widen the selection or go back \
                 in time.",
            ),
            Code::ResourceExhausted => (
                StatusCode::TOO_MANY_REQUESTS,
                "Narrow the selection or the time, or try again in a moment.",
            ),
            Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment."),
            Code::DeadlineExceeded | Code::Cancelled => (
                StatusCode::GATEWAY_TIMEOUT,
                "Narrow the selection or the time.",
            ),
            Code::PermissionDenied => (StatusCode::FORBIDDEN, "Ask who runs the collector."),
            Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "Ask who runs the collector."),
            Code::Unimplemented => (
                StatusCode::NOT_IMPLEMENTED,
                "The collector and its pages differ in version.",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The collector's log says more.",
            ),
        };
        let message = match status.message() {
            "" => status.code().description(),
            message => message,
        };
        Self::new(code, message, hint)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (status, hint) = match &error {
            Error::NoGrowth => (StatusCode::NOT_FOUND, "Widen the selection or the time."),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The collector's log says more.",
            ),
        };
        Self::new(status, error.to_string(), hint)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let title = self.title();
        let body = html! {
            h1 { (title) }
            p.lead { (clean(&self.message)) }
            p { (self.hint) }
            p { a href="/" { "Overview" } " · " a href="/status" { "Status" } }
        };
        let page = layout::page(title, Place::Elsewhere, &body);
        (self.status, page).into_response()
    }
}
