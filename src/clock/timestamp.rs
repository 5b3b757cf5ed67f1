use std::{fmt, time::Duration};

use thiserror::Error;

/// An instant in UTC, to the microsecond, from the year 1970 to 9999.
///
/// Written as `2026-03-01T09:30:00.000000Z`, always 27 bytes, so that order of text is order of
/// time and a record's bytes say one instant in one way. There are no leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    // INVARIANT: from 0 to MAX.micros.
    micros: i64,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;

impl Timestamp {
    /// `1970-01-01T00:00:00.000000Z`, the earliest.
    pub const EPOCH: Self = Self { micros: 0 };

    /// `9999-12-31T23:59:59.999999Z`, the latest.
    pub const MAX: Self = Self {
        micros: 253_402_300_799_999_999,
    };

    /// The instant so many microseconds after 1970 began; `None` outside of 1970 to 9999.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Option<Self> {
        if 0 <= micros && micros <= Self::MAX.micros {
            Some(Self { micros })
        } else {
            None
        }
    }

    /// Microseconds since 1970 began.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.micros
    }

    /// Reads exactly what `Display` writes.
    ///
    /// # Errors
    /// [`NotATimestamp`] for any other spelling: another precision, an offset, lower case, a day that
    /// the month does not have, a second 60.
    pub fn parse(text: &str) -> Result<Self, NotATimestamp> {
        let bytes: &[u8; 27] = text.as_bytes().try_into().map_err(|_| NotATimestamp)?;
        let &[
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
            b'.',
            f1,
            f2,
            f3,
            f4,
            f5,
            f6,
            b'Z',
        ] = bytes
        else {
            return Err(NotATimestamp);
        };
        let year = number(&[y1, y2, y3, y4], 1970..=9999)?;
        let month = number(&[m1, m2], 1..=12)?;
        let day = number(&[d1, d2], 1..=days_in(year, month))?;
        let hour = number(&[h1, h2], 0..=23)?;
        let minute = number(&[n1, n2], 0..=59)?;
        let second = number(&[s1, s2], 0..=59)?;
        let fraction = number(&[f1, f2, f3, f4, f5, f6], 0..=999_999)?;
        let days = days_before_year(year) + days_before_month(year, month) + day - 1;
        let seconds = days * DAY + hour * 3600 + minute * 60 + second;
        Ok(Self {
            micros: seconds * SECOND + fraction,
        })
    }

    /// Later by `span`, cut to microseconds; `None` past [`Timestamp::MAX`].
    #[must_use]
    pub fn checked_add(self, span: Duration) -> Option<Self> {
        let span = i64::try_from(span.as_micros()).ok()?;
        Self::from_unix_micros(self.micros.checked_add(span)?)
    }

    /// Later by `span`, but not past [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        self.checked_add(span).unwrap_or(Self::MAX)
    }

    /// Earlier by `span`, cut to microseconds, but not before [`Timestamp::EPOCH`].
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        i64::try_from(span.as_micros())
            .ok()
            .and_then(|span| Self::from_unix_micros(self.micros.checked_sub(span)?))
            .unwrap_or(Self::EPOCH)
    }

    /// The time from `earlier` to this instant; zero if `earlier` is in truth later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = u64::try_from(self.micros - earlier.micros).unwrap_or(0);
        Duration::from_micros(micros)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.micros / SECOND;
        let (days, second_of_day) = (seconds / DAY, seconds % DAY);
        // The estimate is never too late, and too early by at most one year.
        let mut year = 1970 + days * 400 / 146_097;
        while days_before_year(year + 1) <= days {
            year += 1;
        }
        while days_before_year(year) > days {
            year -= 1;
        }
        let day_of_year = days - days_before_year(year);
        let mut month = 1;
        while month < 12 && days_before_month(year, month + 1) <= day_of_year {
            month += 1;
        }
        let day = day_of_year - days_before_month(year, month) + 1;
        let (hour, minute, second) = (
            second_of_day / 3600,
            second_of_day / 60 % 60,
            second_of_day % 60,
        );
        let fraction = self.micros % SECOND;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn number(digits: &[u8], allowed: std::ops::RangeInclusive<i64>) -> Result<i64, NotATimestamp> {
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(NotATimestamp);
        }
        number = number * 10 + i64::from(digit - b'0');
    }
    if allowed.contains(&number) {
        Ok(number)
    } else {
        Err(NotATimestamp)
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the beginning of 1970 to that of `year`.
const fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400;
    // 477 leap days were before 1970.
    (year - 1970) * 365 + leap_days - 477
}

/// Days from the beginning of the year to that of `month`.
fn days_before_month(year: i64, month: i64) -> i64 {
    (1..month).map(|earlier| days_in(year, earlier)).sum()
}

/// The text is not a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a timestamp is written as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, from the year 1970 on")]
pub struct NotATimestamp;
