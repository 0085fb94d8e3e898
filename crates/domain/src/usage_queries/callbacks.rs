//! When a result that its receiver does not take is sent again.

use crate::{Error, Result};

/// Pauses before each attempt, in seconds: ten attempts over 75 hours and 35 minutes.
///
/// Source: Standard Webhooks, section "Deliverability and Reliability".
const PAUSES_S: [i64; 10] = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The longest pause that may be configured, and that a receiver may ask for.
const PAUSE_MOST_S: i64 = 86_400;
/// Attempts that may be configured.
const ATTEMPTS_MOST: usize = 50;
/// By how much a pause may be drawn out, in thousandths of it.
const JITTER_MOST_PERMILLE: u16 = 100;

/// How often a callback is tried, and after which pauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackSchedule {
    pauses_s: Vec<i64>,
}

impl Default for CallbackSchedule {
    fn default() -> CallbackSchedule {
        CallbackSchedule { pauses_s: PAUSES_S.to_vec() }
    }
}

impl CallbackSchedule {
    /// Makes a schedule: the pause before each attempt, the first one too.
    ///
    /// Units:  seconds.
    /// Errors: [`Error::Invalid`] without an attempt, with more than 50, and for a pause below zero
    /// or above a day.
    pub fn new(pauses_s: Vec<i64>) -> Result<CallbackSchedule> {
        if pauses_s.is_empty() || pauses_s.len() > ATTEMPTS_MOST {
            let problem = format!("names 1 to {ATTEMPTS_MOST} pauses, one before each attempt");
            return Err(Error::invalid("pauses", problem));
        }
        if let Some(wrong) = pauses_s.iter().find(|pause| !(0..=PAUSE_MOST_S).contains(*pause)) {
            let problem = format!("{wrong} is not between 0 and {PAUSE_MOST_S} seconds");
            return Err(Error::invalid("pauses", problem));
        }
        Ok(CallbackSchedule { pauses_s })
    }

    /// How many attempts there are.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.pauses_s.len()).unwrap_or(u32::MAX)
    }

    /// How long all pauses take together, in seconds.
    pub fn whole_s(&self) -> i64 {
        self.pauses_s.iter().fold(0, |whole: i64, pause| whole.saturating_add(*pause))
    }

    /// How long to wait after so many attempts in vain; none when it is given up.
    ///
    /// A pause is drawn out by `jitter_permille` thousandths of it, at most 100, so that what
    /// failed together does not come back together. A receiver that asks for a longer pause gets
    /// it, up to a day.
    ///
    /// Units: seconds.
    pub fn pause_after(
        &self,
        attempts: u32,
        retry_after_s: Option<i64>,
        jitter_permille: u16,
    ) -> Option<i64> {
        let pause = *self.pauses_s.get(usize::try_from(attempts).ok()?)?;
        let permille = i64::from(jitter_permille.min(JITTER_MOST_PERMILLE));
        let drawn_out = pause.saturating_add(pause.saturating_mul(permille) / 1_000);
        Some(drawn_out.max(retry_after_s.unwrap_or(0).min(PAUSE_MOST_S)))
    }
}

/// What a receiver's status says of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// It has it.
    Delivered,
    /// It wants no more, ever.
    Gone,
    /// It is busy, and may say until when.
    Busy,
    /// Anything else: also a redirect, which is not followed.
    Refused,
}

/// What a status says.
///
/// Source: Standard Webhooks, section "Deliverability and Reliability".
pub const fn receipt_of(status: u16) -> Receipt {
    match status {
        200..=299 => Receipt::Delivered,
        410 => Receipt::Gone,
        429 | 502 | 503 | 504 => Receipt::Busy,
        _ => Receipt::Refused,
    }
}
