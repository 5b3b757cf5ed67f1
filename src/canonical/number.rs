use std::{cmp::Ordering, fmt};

use thiserror::Error;

/// A decimal that RFC 8785 prints exactly.
///
/// RFC 8785 prints numbers as ECMAScript does: the shortest decimal that denotes the same double.
/// A literal is admitted only if that decimal is the one that it denotes, so that what was written,
/// what is shown, what rules compare and what is signed are one number: `98.7`, `4.50`, `1e3` and
/// `1E30` are; `333333333.33333329`, `9007199254740993` and `-0` are not and go into a string.
///
/// Two numbers are compared by exact value; `1e3` and `1000` are the same number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    // INVARIANT: the value is `±digits × 10^exponent`; `digits` is below 10^17 and has no trailing
    // zero; zero is `(false, 0, 0)`. So equal values have equal fields.
    negative: bool,
    digits: u64,
    exponent: i16,
}

/// 2^53−1, the largest integer below which every integer is a double.
const LARGEST_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// No double needs more digits to be told from its neighbours.
const MOST_DIGITS: u32 = 17;

impl Number {
    const ZERO: Self = Self {
        negative: false,
        digits: 0,
        exponent: 0,
    };

    /// Reads a literal in the grammar of JSON (RFC 8259, section 6).
    ///
    /// # Errors
    /// See [`NumberError`]. In each case a string says the same without doubt.
    pub fn parse(literal: &str) -> Result<Self, NumberError> {
        let (negative, unsigned) = match literal.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, literal),
        };
        let Decimal { digits, exponent } = Decimal::parse(unsigned)?;
        if digits == 0 {
            return if negative {
                Err(NumberError::NegativeZero)
            } else {
                Ok(Self::ZERO)
            };
        }
        let exponent = i16::try_from(exponent).map_err(|_| NumberError::OutOfRange)?;
        let exact = Self {
            negative,
            digits,
            exponent,
        };
        if exact.is_surely_exact() {
            return Ok(exact);
        }
        match Self::shortest(exact.to_f64()) {
            Some(printed) if printed == exact => Ok(exact),
            None | Some(Self::ZERO) => Err(NumberError::OutOfRange),
            Some(_) => Err(NumberError::Inexact),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// [`NumberError::UnsafeInteger`] beyond ±(2^53−1), where doubles no longer hold every integer.
    pub fn from_integer(integer: i64) -> Result<Self, NumberError> {
        let magnitude = integer.unsigned_abs();
        if magnitude > LARGEST_SAFE_INTEGER {
            return Err(NumberError::UnsafeInteger);
        }
        Ok(Self::normal(integer < 0, magnitude, 0))
    }

    /// The integer, if there is no fraction and it is within ±(2^53−1).
    ///
    /// Larger ones are not given out as integers: another reader's double holds a neighbour of them.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        let scale = 10_u64.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let magnitude = self.digits.checked_mul(scale)?;
        if magnitude > LARGEST_SAFE_INTEGER {
            return None;
        }
        let magnitude = i64::try_from(magnitude).ok()?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The double that a reader of the canonical text gets; it is finite and never `-0.0`.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        let Self {
            negative,
            digits,
            exponent,
        } = *self;
        let sign = if negative { "-" } else { "" };
        // The text is in the grammar of `f64`, which rounds correctly and never fails on it.
        format!("{sign}{digits}e{exponent}")
            .parse()
            .unwrap_or(f64::NAN)
    }

    /// The decimal that RFC 8785 prints for a double, unless that is infinite or not a number.
    ///
    /// This is `Number::toString` of ECMAScript: as few digits as denote this double among all, and
    /// of those the decimal nearest to it, the even one of two that are equally near.
    pub(crate) fn shortest(double: f64) -> Option<Self> {
        if !double.is_finite() {
            return None;
        }
        // The standard library finds as few digits as possible, but rounds up between two equally
        // near decimals; asked for a given number of digits it rounds to even.
        let short = format!("{:e}", double.abs());
        let fraction_digits = short
            .split_once('e')
            .map_or(0, |(digits, _)| digits.len().saturating_sub(2));
        let nearest = format!("{:.*e}", fraction_digits, double.abs());
        let text = if nearest.parse() == Ok(double.abs()) {
            &nearest
        } else {
            &short
        };
        let Decimal { digits, exponent } = Decimal::parse(text).ok()?;
        let exponent = i16::try_from(exponent).ok()?;
        Some(Self::normal(double < 0.0, digits, exponent))
    }

    /// Appends the text of RFC 8785, section 3.2.2.3 (ECMAScript `Number::toString`).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Self {
            negative,
            digits,
            exponent,
        } = *self;
        if negative {
            out.push(b'-');
        }
        let mut buffer = [0; MOST_DIGITS as usize];
        let digits = write_digits(&mut buffer, digits);
        // The names k, n and s are those of ECMAScript: s are k digits, the value is s × 10^(n−k).
        let k = digits.len();
        let n = isize::from(exponent).saturating_add_unsigned(k);
        match n {
            // An integer: the digits, then zeros.
            1..=21 if exponent >= 0 => {
                out.extend_from_slice(digits);
                out.resize(out.len() + usize::try_from(exponent).unwrap_or(0), b'0');
            }
            // A point among the digits.
            1..=21 => {
                let (whole, fraction) = digits.split_at(n.unsigned_abs().min(k));
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            // Zeros between the point and the digits.
            -5..=0 => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + n.unsigned_abs(), b'0');
                out.extend_from_slice(digits);
            }
            // Scientific: one digit before the point, and always a sign in the exponent.
            _ => {
                let (first, others) = digits.split_at(1);
                out.extend_from_slice(first);
                if !others.is_empty() {
                    out.push(b'.');
                    out.extend_from_slice(others);
                }
                out.extend_from_slice(if n > 0 { b"e+" } else { b"e-" });
                let power = (n - 1).unsigned_abs() as u64;
                out.extend_from_slice(write_digits(&mut buffer, power));
            }
        }
    }

    /// Strips trailing zeros, so that equal values have equal fields.
    const fn normal(negative: bool, mut digits: u64, mut exponent: i16) -> Self {
        if digits == 0 {
            return Self::ZERO;
        }
        while digits.is_multiple_of(10) {
            digits /= 10;
            exponent += 1;
        }
        Self {
            negative,
            digits,
            exponent,
        }
    }

    /// Whether a double needs no asking: of the decimals of at most 15 digits, no two denote the
    /// same double, unless that is subnormal or infinite. So the shortest one is this.
    fn is_surely_exact(&self) -> bool {
        self.digits < 1_000_000_000_000_000 && (-300..=290).contains(&self.exponent)
    }

    /// Place of the first digit, then the digits filled up to 17: ordered as the magnitudes are.
    fn magnitude(&self) -> (i32, u64) {
        if self.digits == 0 {
            return (i32::MIN, 0);
        }
        let length = self.digits.ilog10() + 1;
        let filler = 10_u64.pow(MOST_DIGITS.saturating_sub(length));
        let place = i32::from(self.exponent) + length.cast_signed();
        (place, self.digits * filler)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(32);
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! from_narrow_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(integer: $integer) -> Self {
                let integer = i64::from(integer);
                Self::normal(integer < 0, integer.unsigned_abs(), 0)
            }
        }
    )*};
}

from_narrow_integers!(i8, i16, i32, u8, u16, u32);

/// An unsigned literal as it is written: `digits × 10^exponent`, without trailing zeros.
struct Decimal {
    digits: u64,
    exponent: i64,
}

/// Far beyond any double, and far from where adding a length overflows.
const EXPONENT_LIMIT: i64 = 1 << 50;

impl Decimal {
    fn parse(unsigned: &str) -> Result<Self, NumberError> {
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, digits_of(fraction)?),
            None => (mantissa, [].as_slice()),
        };
        let whole = digits_of(whole)?;
        if whole.len() > 1 && whole.starts_with(b"0") {
            return Err(NumberError::LeadingZero);
        }
        let mut digits = 0_u64;
        let mut significant = 0_u32;
        // Zeros are counted and only become digits once another digit follows.
        let mut zeros = 0_i64;
        for digit in whole.iter().chain(fraction) {
            if *digit == b'0' {
                zeros += 1;
                continue;
            }
            if significant > 0 {
                significant = u32::try_from(zeros)
                    .ok()
                    .and_then(|zeros| significant.checked_add(zeros))
                    .filter(|significant| *significant < MOST_DIGITS)
                    .ok_or(NumberError::Inexact)?;
                digits *= 10_u64.pow(u32::try_from(zeros).unwrap_or(0));
            }
            zeros = 0;
            significant += 1;
            digits = digits * 10 + u64::from(digit - b'0');
        }
        if digits == 0 {
            return Ok(Self {
                digits,
                exponent: 0,
            });
        }
        let exponent = power + zeros - i64::try_from(fraction.len()).unwrap_or(EXPONENT_LIMIT);
        Ok(Self { digits, exponent })
    }
}

fn parse_power(power: &str) -> Result<i64, NumberError> {
    let (negative, magnitude) = match power.as_bytes() {
        [b'-', ..] => (true, power.strip_prefix('-')),
        [b'+', ..] => (false, power.strip_prefix('+')),
        _ => (false, Some(power)),
    };
    let magnitude = digits_of(magnitude.unwrap_or_default())?
        .iter()
        .fold(0, |power: i64, digit| {
            (power * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT)
        });
    Ok(if negative { -magnitude } else { magnitude })
}

fn digits_of(text: &str) -> Result<&[u8], NumberError> {
    let digits = text.as_bytes();
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        Ok(digits)
    } else {
        Err(NumberError::NotANumber)
    }
}

/// Writes a number below 10^17 into the end of the buffer.
fn write_digits(buffer: &mut [u8; MOST_DIGITS as usize], mut number: u64) -> &[u8] {
    let mut start = buffer.len();
    for place in buffer.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        start -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    buffer.get(start..).unwrap_or_default()
}

/// Why a number is not one that RFC 8785 prints exactly; no message quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NumberError {
    /// The text does not follow the grammar of JSON.
    #[error("this is not a number of JSON; correct it or use a string")]
    NotANumber,
    /// A zero stands before other digits.
    #[error("a number has no leading zeros; leave them out or use a string")]
    LeadingZero,
    /// Negative zero would be written as zero.
    #[error("negative zero has no canonical form; write `0` or use a string")]
    NegativeZero,
    /// The decimal is not the one that RFC 8785 prints for the nearest double.
    #[error("a double does not hold this number exactly as it is written; use a string")]
    Inexact,
    /// A double would be infinite or zero.
    #[error("this number is too large or too small for a double; use a string")]
    OutOfRange,
    /// An integer beyond ±(2^53−1).
    #[error("this integer is beyond ±(2^53−1); use a string")]
    UnsafeInteger,
}
