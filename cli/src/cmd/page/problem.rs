//! Why a request has no answer, and how that is said.

use super::request::Fault;
use super::response::Status;

/// Why there is no answer, and how that is said to HTTP.
pub(super) struct Problem {
    pub(super) status: Status,
    pub(super) title: &'static str,
    pub(super) text: String,
}

impl Problem {
    /// What is no request; nothing where the client went away.
    pub(super) fn of_fault(fault: Fault) -> Option<Self> {
        let (status, title, text) = match fault {
            Fault::Gone => return None,
            Fault::Slow => (
                Status::TimedOut,
                "The request took too long",
                "It did not come within five seconds.",
            ),
            Fault::Long => (
                Status::TooLong,
                "The request is too long",
                "Nothing that this page can be asked is longer than 16 KiB.",
            ),
            Fault::Garbled => (
                Status::BadRequest,
                "The request cannot be read",
                "It is no HTTP/1.1 with one `Host` and a path.",
            ),
        };
        Some(Self {
            status,
            title,
            text: text.to_owned(),
        })
    }

    /// A question that cannot be understood; errors begin with the command that has them.
    pub(super) fn bad(text: &str) -> Self {
        Self {
            status: Status::BadRequest,
            title: "This cannot be answered",
            text: text.strip_prefix("why: ").unwrap_or(text).to_owned(),
        }
    }

    pub(super) fn not_found(text: &str) -> Self {
        Self {
            status: Status::NotFound,
            title: "There is no such page",
            text: text.to_owned(),
        }
    }

    pub(super) fn method(method: &str) -> Self {
        Self {
            status: Status::MethodNotAllowed,
            title: "This page can only be read",
            text: format!("It takes GET and HEAD, and nothing else: `{method}` does nothing."),
        }
    }

    pub(super) fn misdirected(host: &str) -> Self {
        Self {
            status: Status::Misdirected,
            title: "This page goes by another name",
            text: format!(
                "It was called `{host}`, which it does not know. If that is right, start it with \
                 `--host NAME`."
            ),
        }
    }
}
