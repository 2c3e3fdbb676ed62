use std::time::Duration;

use smtp_proto::syntax::{
    ByMode, DateTime, DeliverBy, Hold, HoldInterval, Priority, RrvsAction, Solicitation,
    SyntaxErrorKind, Tracking, ValidSince,
};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 4865-3-b
#[test]
fn dates() {
    for (text, moment, in_utc) in [
        ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
        (
            "2030-01-01T00:00:00Z",
            1_893_456_000,
            "2030-01-01T00:00:00Z",
        ),
        (
            "2014-04-03t23:01:00z",
            1_396_566_060,
            "2014-04-03T23:01:00Z",
        ),
        (
            "1996-12-19T16:39:57-08:00",
            851_042_397,
            "1996-12-20T00:39:57Z",
        ),
        (
            "1985-04-12T23:20:50.52Z",
            482_196_050,
            "1985-04-12T23:20:50Z",
        ),
        (
            "1937-01-01T12:00:27.87+00:20",
            -1_041_337_173,
            "1937-01-01T11:40:27Z",
        ),
        ("2000-02-29T23:59:59Z", 951_868_799, "2000-02-29T23:59:59Z"),
        // RFC 3339 5.8: a leap second, also in another zone.
        ("1990-12-31T23:59:60Z", 662_688_000, "1991-01-01T00:00:00Z"),
        (
            "1990-12-31T15:59:60-08:00",
            662_688_000,
            "1991-01-01T00:00:00Z",
        ),
        (
            "0000-01-01T00:00:00Z",
            -62_167_219_200,
            "0000-01-01T00:00:00Z",
        ),
        (
            "9999-12-31T23:59:59Z",
            253_402_300_799,
            "9999-12-31T23:59:59Z",
        ),
    ] {
        let date = DateTime::parse(text).unwrap();
        assert_eq!((date.as_str(), date.seconds()), (text, moment));
        assert_eq!(DateTime::from_seconds(moment).unwrap().as_str(), in_utc);
    }
    for moment in [253_402_300_800, -62_167_219_201, i64::MAX, i64::MIN] {
        assert!(DateTime::from_seconds(moment).is_err(), "{moment}");
    }
    // Every day of the form there and back.
    for day in -719_528..2_932_897 {
        let date = DateTime::from_seconds(day * 86_400 + 3_723).unwrap();
        assert_eq!(date.seconds(), day * 86_400 + 3_723);
    }
}

#[test]
fn malformed_dates() {
    use SyntaxErrorKind::{OutOfRange, UnexpectedByte, UnexpectedEnd};
    for (text, at, kind) in [
        ("", 0, UnexpectedEnd),
        ("x", 0, UnexpectedByte),
        ("2030-01-01", 10, UnexpectedEnd),
        ("2030-01-01 00:00:00Z", 10, UnexpectedByte),
        ("2030-1-01T00:00:00Z", 6, UnexpectedByte),
        ("2030-01-01T00:00Z", 16, UnexpectedByte),
        ("2030-01-01T00:00:00", 19, UnexpectedEnd),
        ("2030-01-01T00:00:00Zx", 19, UnexpectedByte),
        ("2030-01-01T00:00:00.Z", 20, UnexpectedByte),
        ("2030-01-01T00:00:00+0100", 20, UnexpectedByte),
        ("2030-01-01T00:00:00+01:000", 20, UnexpectedByte),
        ("2030-01-01T00:00:00+24:00", 20, OutOfRange),
        ("2030-01-01T00:00:00+00:60", 20, OutOfRange),
        ("2030-00-01T00:00:00Z", 5, OutOfRange),
        ("2030-13-01T00:00:00Z", 5, OutOfRange),
        ("2030-01-00T00:00:00Z", 8, OutOfRange),
        ("2030-04-31T00:00:00Z", 8, OutOfRange),
        ("2030-02-29T00:00:00Z", 8, OutOfRange),
        ("2100-02-29T00:00:00Z", 8, OutOfRange),
        ("2030-01-01T24:00:00Z", 11, OutOfRange),
        ("2030-01-01T00:60:00Z", 14, OutOfRange),
        ("2030-01-01T00:00:61Z", 17, OutOfRange),
        ("2030-01-01T12:00:60Z", 17, OutOfRange),
        ("２030-01-01T00:00:00Z", 0, UnexpectedByte),
    ] {
        let error = DateTime::parse(text).expect_err(text);
        assert_eq!((error.at(), error.kind()), (at, kind), "{text}");
    }
}

/// 2852-4-a, 2852-4-b
#[test]
fn deliver_by() {
    for (text, seconds, mode, trace, rewritten) in [
        ("120;R", 120, ByMode::Return, false, "120;R"),
        ("-5;N", -5, ByMode::Notify, false, "-5;N"),
        ("+5;nt", 5, ByMode::Notify, true, "5;NT"),
        ("0;N", 0, ByMode::Notify, false, "0;N"),
        (
            "-999999999;NT",
            -999_999_999,
            ByMode::Notify,
            true,
            "-999999999;NT",
        ),
        (
            "+999999999;rT",
            999_999_999,
            ByMode::Return,
            true,
            "999999999;RT",
        ),
        ("007;R", 7, ByMode::Return, false, "7;R"),
    ] {
        let by = DeliverBy::parse(text).unwrap();
        assert_eq!(
            (by.seconds(), by.mode(), by.is_traced()),
            (seconds, mode, trace),
            "{text}"
        );
        assert_eq!(by.to_string(), rewritten);
    }
    for (text, at) in [
        ("5", 1),
        ("", 0),
        (";R", 0),
        ("-;N", 1),
        ("--5;N", 1),
        ("1234567890;R", 9),
        ("5;X", 2),
        ("5;", 2),
        ("5;RR", 3),
        ("5;RTT", 3),
        ("5;R;T", 3),
        ("5 ;R", 1),
        ("0;R", 0),
        ("-5;R", 0),
    ] {
        assert_eq!(DeliverBy::parse(text).unwrap_err().at(), at, "{text}");
    }
    assert!(DeliverBy::new(1_000_000_000, ByMode::Notify).is_err());
    assert!(DeliverBy::new(i32::MIN, ByMode::Notify).is_err());
    assert!(DeliverBy::new(0, ByMode::Return).is_err());
}

/// 2852-4.1.4-a
#[test]
fn deliver_by_is_relayed_with_what_is_left() {
    let after = |text, elapsed| {
        DeliverBy::parse(text)
            .unwrap()
            .after(elapsed)
            .map(|by| by.to_string())
    };
    assert_eq!(after("120;RT", seconds(22)).as_deref(), Some("98;RT"));
    assert_eq!(after("120;R", seconds(119)).as_deref(), Some("1;R"));
    assert_eq!(after("120;R", seconds(120)), None);
    assert_eq!(after("120;N", seconds(125)).as_deref(), Some("-5;N"));
    assert_eq!(after("1;N", Duration::MAX).as_deref(), Some("-999999999;N"));
    assert_eq!(after("1;R", Duration::MAX), None);
}

/// 4865-3-b
#[test]
fn holds() {
    for (text, seconds) in [("1", 1), ("3600", 3600), ("999999999", 999_999_999)] {
        assert_eq!(
            HoldInterval::parse(text).map(HoldInterval::seconds),
            Ok(seconds)
        );
        assert_eq!(HoldInterval::new(seconds), HoldInterval::parse(text).ok());
    }
    for text in ["", "0", "01", "-1", "+1", "1000000000", "x", "1 "] {
        assert!(HoldInterval::parse(text).is_err(), "{text}");
    }
    assert_eq!(HoldInterval::new(0), None);
    assert_eq!(HoldInterval::new(1_000_000_000), None);
    let until = Hold::Until(DateTime::parse("2030-01-01T00:00:00Z").unwrap());
    assert_eq!(until.clone().into_owned(), until);
}

/// 6710-7-a
#[test]
fn priorities() {
    for value in -9..=9 {
        let priority = Priority::new(value).unwrap();
        assert_eq!(priority.value(), value);
        assert_eq!(Priority::parse(&priority.to_string()), Ok(priority));
    }
    assert_eq!((Priority::new(10), Priority::new(-10)), (None, None));
    for (text, at) in [
        ("-0", 1),
        ("+1", 0),
        ("10", 1),
        ("-10", 2),
        ("01", 1),
        ("", 0),
        ("-", 1),
        ("x", 0),
        ("--1", 1),
    ] {
        assert_eq!(Priority::parse(text).unwrap_err().at(), at, "{text}");
    }
}

/// 7293-3.1-a, 7293-3.1-b, 7293-5.1.1-b
#[test]
fn valid_since() {
    for (text, action) in [
        ("2014-04-03T23:01:00Z", None),
        ("2014-04-03T23:01:00Z;C", Some(RrvsAction::Continue)),
        ("2014-04-03T16:01:00-07:00;r", Some(RrvsAction::Reject)),
    ] {
        let value = ValidSince::parse(text).unwrap();
        assert_eq!(value.to_string(), text);
        assert_eq!(value.action(), action);
        assert_eq!(value.date().seconds(), 1_396_566_060);
    }
    for (text, at) in [
        ("2014-04-03T23:01:00.5Z", 19),
        ("2014-04-03T23:01:00Z;", 21),
        ("2014-04-03T23:01:00Z;X", 21),
        ("2014-04-03T23:01:00Z;C;R", 21),
        ("2014-04-03", 10),
        (";C", 0),
    ] {
        assert_eq!(ValidSince::parse(text).unwrap_err().at(), at, "{text}");
    }
    let date = DateTime::from_seconds(0).unwrap();
    let composed = |action| ValidSince::new(&date, action).unwrap().to_string();
    assert_eq!(composed(None), "1970-01-01T00:00:00Z");
    assert_eq!(composed(Some(RrvsAction::Reject)), "1970-01-01T00:00:00Z;R");
    let fraction = DateTime::parse("2014-04-03T23:01:00.5Z").unwrap();
    assert!(ValidSince::new(&fraction, None).is_err());
}

/// 3885-2-a, 3885-3.1-a, 3885-3.1-b
#[test]
fn tracking() {
    for (text, certifier, timeout) in [
        ("abc:3600", "abc", Some(3600)),
        ("ab/+", "ab/+", None),
        ("abc:0", "abc", Some(0)),
    ] {
        let tracking = Tracking::parse(text).unwrap();
        assert_eq!(
            (tracking.certifier(), tracking.timeout()),
            (certifier, timeout)
        );
        assert_eq!(tracking.to_string(), text);
    }
    for (text, at) in [
        ("abc=", 3),
        ("", 0),
        (":5", 0),
        ("abcde", 5),
        ("ab c", 2),
        ("abc:", 4),
        ("abc:x", 4),
        ("abc:1234567890", 13),
        ("abc:1:2", 5),
    ] {
        assert_eq!(Tracking::parse(text).unwrap_err().at(), at, "{text}");
    }
    assert!(Tracking::new("abc", Some(1_000_000_000)).is_err());
    let after = |text, elapsed| Tracking::parse(text).unwrap().after(elapsed);
    assert_eq!(after("abc:10", seconds(9)), Tracking::parse("abc:1").ok());
    assert_eq!(after("abc:10", seconds(10)), None);
    assert_eq!(after("abc:10", Duration::MAX), None);
    assert_eq!(after("abc", Duration::MAX), Tracking::parse("abc").ok());
}

/// 3865-a
#[test]
fn solicitation() {
    let text = "org.example:ADV:ADLT,net.example:x-y_z";
    let solicitation = Solicitation::parse(text).unwrap();
    let classes: Vec<_> = solicitation.classes().collect();
    assert_eq!(classes, ["org.example:ADV:ADLT", "net.example:x-y_z"]);
    assert_eq!(solicitation.as_str(), text);
    assert!(Solicitation::parse(&"a".repeat(1000)).is_ok());
    for (text, at) in [
        ("", 0),
        ("a,", 2),
        (",a", 0),
        ("a,,b", 2),
        ("1a", 0),
        ("a b", 1),
        ("a,b;c", 3),
        (&*"a".repeat(1001), 1000),
    ] {
        assert_eq!(Solicitation::parse(text).unwrap_err().at(), at, "{text}");
    }
}
