use std::cmp::Ordering;

use super::*;

#[test]
fn what_a_double_holds_exactly_is_a_number() {
    for (literal, text) in [
        ("98.7", "98.7"),
        ("4.50", "4.5"),
        ("1e3", "1000"),
        ("1E30", "1e+30"),
        ("2e-3", "0.002"),
        ("0.000000000000000000000000001", "1e-27"),
        ("9007199254740992", "9007199254740992"),
        ("1000000000000000000", "1000000000000000000"),
        ("1424953923781206.2", "1424953923781206.2"),
        ("-12.5e0", "-12.5"),
    ] {
        assert_eq!(Number::parse(literal).unwrap().to_string(), text);
    }
}

#[test]
fn anything_else_wants_a_string() {
    for (literal, error) in [
        ("333333333.33333329", NumberError::Inexact),
        ("9007199254740993", NumberError::Inexact),
        ("9999999999999999999999", NumberError::Inexact),
        ("-0", NumberError::NegativeZero),
        ("-0.0", NumberError::NegativeZero),
        ("1e400", NumberError::OutOfRange),
        ("1e-400", NumberError::OutOfRange),
        ("1e9223372036854775808", NumberError::OutOfRange),
        ("1e-9223372036854775809", NumberError::OutOfRange),
        ("007", NumberError::LeadingZero),
        ("", NumberError::NotANumber),
        ("-", NumberError::NotANumber),
        ("٣", NumberError::NotANumber),
        (" 1", NumberError::NotANumber),
        ("1 ", NumberError::NotANumber),
        ("1e1e1", NumberError::NotANumber),
        ("NaN", NumberError::NotANumber),
    ] {
        assert_eq!(Number::parse(literal), Err(error), "{literal}");
        assert!(error.to_string().ends_with("use a string"), "{error}");
    }
    let beyond = NumberError::UnsafeInteger;
    assert!(beyond.to_string().ends_with("use a string"));
}

#[test]
fn integers_end_where_doubles_begin_to_skip_some() {
    const LAST: i64 = 9_007_199_254_740_991;
    for integer in [0, 1, -1, 10, -100, 123_000, LAST, -LAST] {
        let number = Number::from_integer(integer).unwrap();
        assert_eq!(number.to_string(), integer.to_string());
        assert_eq!(number.as_i64(), Some(integer));
        assert_eq!(Number::parse(&integer.to_string()), Ok(number));
        assert_eq!(Json::try_from(integer).unwrap().as_i64(), Some(integer));
    }
    for beyond in [LAST + 1, -LAST - 1, i64::MAX, i64::MIN] {
        assert_eq!(
            Number::from_integer(beyond),
            Err(NumberError::UnsafeInteger)
        );
    }
    assert!(Json::try_from(u64::MAX).is_err());
    assert!(Json::try_from(LAST as u64 + 1).is_err());
    assert!(Json::try_from(LAST as u64).is_ok());
    for not_an_integer in ["0.5", "9007199254740992", "1e30", "1e-7", "-1e300"] {
        assert_eq!(Number::parse(not_an_integer).unwrap().as_i64(), None);
    }
    assert_eq!(Json::from(i32::MIN).as_i64(), Some(i64::from(i32::MIN)));
    assert_eq!(Json::from(u32::MAX).as_i64(), Some(i64::from(u32::MAX)));
}

#[test]
fn long_spellings_are_judged_by_value() {
    let zeros = "0".repeat(1_000);
    for same_as_one in [
        format!("1.{zeros}"),
        format!("1{zeros}e-1000"),
        format!("0.{zeros}1e1001"),
        format!("1e-{zeros}0"),
    ] {
        assert_eq!(Number::parse(&same_as_one), Ok(Number::from(1)));
    }
    assert_eq!(
        Number::parse(&format!("1.{zeros}1")),
        Err(NumberError::Inexact)
    );
    assert_eq!(Number::parse(&format!("0.{zeros}e9")), Ok(Number::from(0)));
}

/// The doubles below a power of two lie closer than those above, so that the decimal with fewest
/// digits that is nearest of all may already belong to a neighbour.
#[test]
fn powers_of_two_are_printed_so_that_they_come_back() {
    let subnormal = (0..52).map(|bit| 1_u64 << bit);
    let normal = (1..2047).map(|exponent| exponent << 52);
    for double in subnormal.chain(normal).map(f64::from_bits) {
        let number = Number::shortest(double).unwrap();
        assert_eq!(number.to_f64(), double, "{double}");
        let others = serde_json::to_string(&double).unwrap();
        assert_eq!(Number::parse(&others), Ok(number), "{double}");
    }
}

/// An exact decimal as digits before and after the point, the slow way.
fn columns(digits: u64, power: i32) -> String {
    let shifted = format!(
        "{digits}{}",
        "0".repeat((power + 40).unsigned_abs() as usize)
    );
    format!("{shifted:0>120}")
}

fn any_decimal() -> impl Strategy<Value = (bool, u64, i32)> {
    let digits = prop_oneof![0..30_u64, 0..100_000_u64, 0..99_999_999_999_999_999_u64];
    (any::<bool>(), digits, -20..20_i32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn order_is_that_of_exact_decimals(a in any_decimal(), b in any_decimal()) {
        let number = |(negative, digits, power): (bool, u64, i32)| {
            Number::parse(&format!("{}{digits}e{power}", if negative { "-" } else { "" })).ok()
        };
        let (Some(x), Some(y)) = (number(a), number(b)) else { return Ok(()) };
        let (p, q) = (columns(a.1, a.2), columns(b.1, b.2));
        let expected = match (a.0, b.0) {
            (false, false) => p.cmp(&q),
            (true, true) => q.cmp(&p),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        };
        prop_assert_eq!(x.cmp(&y), expected, "{} and {}", x, y);
        prop_assert_eq!(x == y, expected.is_eq());
        prop_assert_eq!(y.cmp(&x), expected.reverse());
    }

    #[test]
    fn order_of_doubles_is_kept(a in any::<f64>(), b in any::<f64>()) {
        let (Some(x), Some(y)) = (Number::shortest(a), Number::shortest(b)) else { return Ok(()) };
        prop_assert_eq!(Some(x.cmp(&y)), a.partial_cmp(&b));
    }

    /// The printed text denotes the double again, is admitted, and is as another printer has it.
    #[test]
    fn every_double_is_printed_so_that_it_comes_back(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        let Some(number) = Number::shortest(double) else { return Ok(()) };
        prop_assert_eq!(number.to_f64(), double);
        let text = number.to_string();
        prop_assert_eq!(text.parse::<f64>(), Ok(double));
        prop_assert_eq!(Number::parse(&text), Ok(number));
        let others = serde_json::to_string(&double).unwrap();
        prop_assert_eq!(Number::parse(&others), Ok(number));
    }

    /// Halves and quarters of large integers, where two shortest decimals are equally near.
    #[test]
    fn ties_go_to_the_even_decimal(integer in 1_u64 << 49..1 << 51, quarters in 0..4_u32) {
        let double = integer as f64 + f64::from(quarters) / 4.0;
        let others = serde_json::to_string(&double).unwrap();
        prop_assert_eq!(Number::parse(&others), Ok(Number::shortest(double).unwrap()));
    }

    /// What `parse` takes without asking for the double is what the double would have said.
    #[test]
    fn fifteen_digits_are_always_exact(digits in 1..1_000_000_000_000_000_u64, power in -300..=290_i32) {
        let number = Number::parse(&format!("{digits}e{power}")).unwrap();
        prop_assert_eq!(Number::shortest(number.to_f64()), Some(number));
    }

    /// A decimal is admitted exactly if it is what its double is printed as.
    #[test]
    fn admission_is_what_printing_says(
        digits in 1..99_999_999_999_999_999_u64,
        power in prop_oneof![-12..12_i32, -345..312_i32],
    ) {
        let literal = format!("{digits}e{power}");
        let printed = Number::shortest(literal.parse().unwrap());
        let exact = printed.is_some_and(|printed| {
            scientific(&printed.to_string()) == scientific(&literal)
        });
        prop_assert_eq!(Number::parse(&literal).is_ok(), exact, "{}", literal);
    }
}

/// The digits without zeros around them, and how many stand before the point.
fn scientific(text: &str) -> (String, i32) {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let place = whole.len() as i32 - leading as i32 + power.parse::<i32>().unwrap();
    (all.trim_matches('0').to_owned(), place)
}
