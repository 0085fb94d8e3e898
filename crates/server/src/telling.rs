//! What the program says: logs on stderr, failures with their causes, progress on a terminal.

use domain::Kind;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// What is logged unless told otherwise; `access` has a line for each request.
const USUAL: &str = "warn,reckoner=info,server=info,access=info";

/// Starts logging: text on a terminal, JSON elsewhere; `RECKONER_LOG` chooses what.
pub(crate) fn init() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RECKONER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().init();
    }
}

/// Takes it as done when the reader of what we write went away, as `head` does when it has enough.
pub(crate) fn unless_unread(written: std::io::Result<()>) -> std::io::Result<()> {
    let Err(error) = written else { return Ok(()) };
    let is_closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if is_closed(error) {
            return Ok(());
        }
        cause = error.source();
    }
    Err(error)
}

/// Writes a line to standard output; gives what [`unless_unread`] makes of it. `println!` would
/// panic when the reader went away.
macro_rules! say {
    ($($text:tt)*) => { $crate::telling::line(format_args!($($text)*)) };
}
pub(crate) use say;

/// See [`say!`].
pub(crate) fn line(text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    unless_unread(writeln!(std::io::stdout().lock(), "{text}"))
}

/// Says why the program ends, with every cause, and with which exit code.
///
/// 1: the command could not be carried out; 2: what was asked for is wrong (also clap's own);
/// 74: storage failed and the process had to end.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("reckoner: {error:#}");
    let kind = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<domain::Error>())
        .map(domain::Error::kind);
    match kind {
        Some(Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::TooMuch) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

/// A bar for work that takes longer than a moment; nothing where nobody looks.
pub(crate) fn progress(what: &str) -> ProgressBar {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{msg} {bar:40} {human_pos}/{human_len} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// An error with all its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
