use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::contain::{Contained, contained};

type BoxError = Box<dyn Error + Send + Sync>;

/// What an attempt of a task returns.
pub type TaskResult = Result<(), TaskError>;

/// Why an attempt of a task did not succeed: what user code returns.
///
/// Every error that is `Send + Sync`, every string and every `anyhow::Error` becomes a retryable
/// failure by `?` and keeps its chain of sources. That is why this type is not an
/// [`Error`] itself; it has the same methods.
///
/// ```
/// use std::time::Duration;
/// use actix_taskvisor::prelude::*;
///
/// fn parse(text: &str) -> TaskResult {
///     let _number: u32 = text.parse()?; // retryable
///     Err(TaskError::failed("upstream is busy").retry_after(Duration::from_secs(5)))
/// }
/// assert!(parse("12").unwrap_err().to_string().contains("busy"));
/// ```
pub struct TaskError {
    verdict: Verdict,
    cause: Cause,
    exit_code: Option<i32>,
    retry_after: Option<Duration>,
}

enum Cause {
    /// All there is to say: it needs no box, and is not rendered a second time.
    Text(String),
    Error(Contained<BoxError>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Failed,
    Fatal,
    Canceled,
}

impl TaskError {
    /// A failure that the restart policy may retry.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::of(Verdict::Failed, Cause::Text(text.into()))
    }

    /// A failure after which the task is not tried again, whatever its policy says.
    pub fn fatal(error: impl Into<BoxError>) -> Self {
        Self::of(Verdict::Fatal, Cause::boxed(error))
    }

    /// The attempt gives up because it was asked to, or because it chooses to: the task ends
    /// [`Canceled`](crate::TaskOutcome::Canceled).
    #[must_use]
    pub fn canceled() -> Self {
        Self::of(Verdict::Canceled, Cause::Text("canceled".to_owned()))
    }

    /// A retryable failure from an error that cannot leave its thread, as those of awc and
    /// actix-web: its text and the texts of its sources are kept, the error itself is not.
    ///
    /// ```
    /// # use actix_taskvisor::prelude::*;
    /// let error = TaskError::from_local(std::fmt::Error);
    /// assert_eq!(error.to_string(), std::fmt::Error.to_string());
    /// ```
    pub fn from_local(error: impl Error) -> Self {
        Self::of(Verdict::Failed, Cause::boxed(Box::new(Message::render(&error)) as BoxError))
    }

    /// Attaches an exit code, which events and outcomes show.
    #[must_use]
    pub fn with_exit_code(mut self, code: i32) -> Self {
        self.exit_code = Some(code);
        self
    }

    /// Asks for the next attempt exactly `delay` after this one ended, in place of the backoff.
    ///
    /// It counts as a retry, gets no jitter, is at least 1 ms and at most the task's
    /// `retry_after_max`. It is ignored on a fatal error.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The error that caused this one.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().and_then(|error| error.source())
    }

    /// The error as the type it was made from.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error().and_then(|error| error.downcast_ref())
    }

    fn error(&self) -> Option<&BoxError> {
        match &self.cause {
            Cause::Text(_) => None,
            Cause::Error(error) => error.get(),
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    pub(crate) fn asked_delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Turns the error into what outcomes carry. Its texts are the user's code: call it where user
    /// code runs. A panic in them is told in place of the text.
    pub(crate) fn into_failure(self) -> Failure {
        let kind = match self.verdict {
            Verdict::Fatal => FailureKind::Fatal,
            Verdict::Failed | Verdict::Canceled => FailureKind::Error,
        };
        let exit_code = self.exit_code;
        let error = match self.cause {
            Cause::Text(text) => {
                let chain = Vec::new();
                return Failure::new(Record { kind, text, chain, exit_code, error: None });
            }
            Cause::Error(error) => error,
        };
        let rendered = contained(|| error.get().map(|error| Message::render(error.as_ref())));
        let (text, chain) = match rendered {
            Ok(Some(message)) => message.into_texts(),
            Ok(None) => (String::new(), Vec::new()),
            Err(panic) => (format!("an error whose text panicked: {panic}"), Vec::new()),
        };
        Failure::new(Record { kind, text, chain, exit_code, error: Some(error) })
    }

    fn of(verdict: Verdict, cause: Cause) -> Self {
        Self { verdict, cause, exit_code: None, retry_after: None }
    }
}

impl Cause {
    fn boxed(error: impl Into<BoxError>) -> Self {
        Self::Error(Contained::new(error.into()))
    }
}

impl<E: Into<BoxError>> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::of(Verdict::Failed, Cause::boxed(error))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Text(text) => f.write_str(text),
            Cause::Error(error) => error.get().map_or(Ok(()), |error| error.fmt(f)),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("verdict", &self.verdict)
            .field("cause", &self.cause)
            .field("exit_code", &self.exit_code)
            .field("retry_after", &self.retry_after)
            .finish()
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Error(error) => error.get().fmt(f),
        }
    }
}

/// A text with the texts of its sources: an error of our own.
#[derive(Debug)]
struct Message {
    text: String,
    source: Option<Box<Message>>,
}

impl Message {
    fn render(error: &dyn Error) -> Self {
        let source = error.source().map(|source| Box::new(Self::render(source)));
        Self { text: error.to_string(), source }
    }

    fn into_texts(self) -> (String, Vec<String>) {
        let mut chain = Vec::new();
        let mut next = self.source;
        while let Some(message) = next {
            chain.push(message.text);
            next = message.source;
        }
        (self.text, chain)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Message {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What went wrong in one attempt, as outcomes, statuses and events carry it: shared and cheap to clone.
///
/// Its texts were rendered once, on the thread on which the attempt ran.
#[derive(Clone)]
pub struct Failure(Arc<Record>);

struct Record {
    kind: FailureKind,
    text: String,
    chain: Vec<String>,
    exit_code: Option<i32>,
    error: Option<Contained<BoxError>>,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FailureKind {
    /// The attempt returned an error.
    Error,
    /// The attempt returned a fatal error.
    Fatal,
    /// The attempt, or the drop of something of it, panicked.
    Panic,
    /// The attempt ran longer than its timeout.
    Timeout,
    /// The thread on which the attempt ran is gone.
    Lost,
}

impl Failure {
    fn new(record: Record) -> Self {
        Self(Arc::new(record))
    }

    fn plain(kind: FailureKind, text: String) -> Self {
        Self::new(Record { kind, text, chain: Vec::new(), exit_code: None, error: None })
    }

    pub(crate) fn panicked(text: String) -> Self {
        Self::plain(FailureKind::Panic, text)
    }

    pub(crate) fn timed_out(timeout: Duration) -> Self {
        Self::plain(FailureKind::Timeout, format!("timed out after {timeout:?}"))
    }

    pub(crate) fn lost() -> Self {
        Self::plain(FailureKind::Lost, "the thread that ran the task is gone".to_owned())
    }

    /// The text of the error, or of the panic.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The texts of the error's sources, nearest first.
    #[must_use]
    pub fn chain(&self) -> &[String] {
        &self.0.chain
    }

    /// The same failure with another text, and without what else could tell the first.
    #[cfg(feature = "web")]
    pub(crate) fn told_as(&self, text: String) -> Self {
        let (kind, exit_code) = (self.kind(), self.exit_code());
        Self::new(Record { kind, text, chain: Vec::new(), exit_code, error: None })
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// The exit code that the task attached.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.0.exit_code
    }

    /// Whether the task said that trying again is of no use.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.kind == FailureKind::Fatal
    }

    /// Whether it was a panic.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.0.kind == FailureKind::Panic
    }

    /// Whether it was the timeout.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == FailureKind::Timeout
    }

    /// The error as the type that the task returned, if it returned one.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error().and_then(|error| error.downcast_ref())
    }

    /// Whether nobody can tell it from another one: both say the same, and there is no error in either, which could say
    /// more. Long texts are not compared: this is asked under a lock.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        const LONG: usize = 1_024;
        let (one, other) = (&self.0, &other.0);
        (one.kind, one.exit_code) == (other.kind, other.exit_code)
            && one.error.is_none()
            && other.error.is_none()
            && one.text.len() <= LONG
            && one.text == other.text
    }

    /// Whether a value of the user's is inside, so that dropping the last clone runs user code.
    pub(crate) fn holds_user_value(&self) -> bool {
        self.0.error.is_some()
    }

    fn error(&self) -> Option<&BoxError> {
        self.0.error.as_ref().and_then(Contained::get)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", &self.0.kind)
            .field("text", &self.0.text)
            .field("chain", &self.0.chain)
            .field("exit_code", &self.0.exit_code)
            .finish()
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().and_then(|error| error.source())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut record = serializer.serialize_struct("Failure", 4)?;
        record.serialize_field("kind", &self.0.kind)?;
        record.serialize_field("text", &self.0.text)?;
        record.serialize_field("chain", &self.0.chain)?;
        record.serialize_field("exit_code", &self.0.exit_code)?;
        record.end()
    }
}
