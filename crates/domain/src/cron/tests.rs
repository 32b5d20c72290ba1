use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 5] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"];

fn cadence(expression: &str, zone: &str) -> Cadence {
    Cadence::parse(expression, zone).unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The next times, as the local clock shows them.
fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let zone_of: Tz = zone.parse().unwrap();
    let show = |time: DateTime<Utc>| time.with_timezone(&zone_of).format("%d %H:%M:%S %z").to_string();
    cadence(expression, zone).upcoming(utc(after), count).into_iter().map(show).collect()
}

#[test]
fn the_fields_mean_what_they_mean_in_every_cron() {
    // 2027-01-01 is a Friday.
    for (expression, expected) in [
        ("*/20 * * * *", ["01 00:20:00", "01 00:40:00", "01 01:00:00"]),
        ("5 4 * * *", ["01 04:05:00", "02 04:05:00", "03 04:05:00"]),
        ("0 9 * * 1", ["04 09:00:00", "11 09:00:00", "18 09:00:00"]),
        ("0 9 * * mon-wed", ["04 09:00:00", "05 09:00:00", "06 09:00:00"]),
        ("0 9 * * 7", ["03 09:00:00", "10 09:00:00", "17 09:00:00"]),
        ("0 9 * * 5-7", ["01 09:00:00", "02 09:00:00", "03 09:00:00"]),
        ("0 9 * * sat-sun", ["02 09:00:00", "03 09:00:00", "09 09:00:00"]),
        ("0 0 13 * fri", ["08 00:00:00", "13 00:00:00", "15 00:00:00"]),
        ("30 10,12 2-3 1 *", ["02 10:30:00", "02 12:30:00", "03 10:30:00"]),
        ("*/30 0 0 * * *", ["01 00:00:30", "02 00:00:00", "02 00:00:30"]),
        ("10/25 * * * *", ["01 00:10:00", "01 00:35:00", "01 01:10:00"]),
        ("0 9 * * 1/2", ["01 09:00:00", "03 09:00:00", "04 09:00:00"]),
        ("0 9 * * fri-7/2", ["01 09:00:00", "03 09:00:00", "08 09:00:00"]),
        ("0 9 * * 0,tuesday", ["03 09:00:00", "05 09:00:00", "10 09:00:00"]),
        ("0 0 */16 * fri", ["17 00:00:00", "01 00:00:00", "17 00:00:00"]),
        ("0 0 2 jan-4/3 ?", ["02 00:00:00", "02 00:00:00", "02 00:00:00"]),
        ("@daily", ["02 00:00:00", "03 00:00:00", "04 00:00:00"]),
        ("@midnight", ["02 00:00:00", "03 00:00:00", "04 00:00:00"]),
    ] {
        let expected = expected.map(|time| format!("{time} +0000"));
        assert_eq!(times(expression, "UTC", "2027-01-01T00:00:00Z", 3), expected, "{expression}");
    }
    let leap = cadence("0 0 29 2 *", "UTC").after(utc("2096-02-29T00:00:00Z"));
    assert_eq!(leap, Some(utc("2104-02-29T00:00:00Z")));
    let sunday = cadence("0 0 29 2 */7", "UTC").after(utc("2088-02-29T00:00:00Z"));
    assert_eq!(sunday, Some(utc("2128-02-29T00:00:00Z")), "the longest that anything takes");
    for never in ["0 0 30 2 *", "0 0 31 2,4,jun *", "* * * 31 11 */2"] {
        assert_eq!(cadence(never, "UTC").after(utc("2027-01-01T00:00:00Z")), None, "{never}");
    }
}

#[test]
fn the_second_month_of_a_step_is_counted_from_a_name() {
    let cadence = cadence("0 0 1 feb/5 *", "UTC");
    let expected = ["2027-02-01T00:00:00Z", "2027-07-01T00:00:00Z", "2027-12-01T00:00:00Z"].map(utc);
    assert_eq!(cadence.upcoming(utc("2027-01-01T00:00:00Z"), 3), expected);
}

#[test]
fn what_is_wrong_is_named() {
    for (expression, expected) in [
        ("* * * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("60 * * * *", r#"the minute is "60": "60" is not a number from 0 to 59"#),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * foo *", "a number from 1 to 12 or a name such as feb"),
        ("* * * * 8", "day of the week"),
        ("*/0 * * * *", r#"the step "0" is not a number from 1 to 59"#),
        ("5-1 * * * *", "the range 5-1 runs backwards"),
        ("1,,2 * * * *", "a value is missing"),
        ("-1 * * * *", "a value is missing"),
        ("* * * * 1-2-3", r#""1-2-3" is no value, range or step"#),
        ("* * * * sat-fri", "the range sat-fri runs backwards"),
        ("* * * sep/13 *", r#"the step "13" is not a number from 1 to 12"#),
        // The crate, which needs no space between fields and takes some within, would read other fields.
        ("0 0 ** * 1", r#"the day of the month is "**""#),
        ("1, 5 * * * *", r#"the second is "1,""#),
        ("0 0 0 1 1 * 2030", "has 7 fields"),
        ("@often", "none of @hourly"),
        ("@daily * * * * *", "none of @hourly"),
    ] {
        let error = Cadence::parse(expression, "UTC").unwrap_err().to_string();
        assert!(error.contains(expected), "{expression}: {error}");
    }
    let error = Cadence::parse("* * * * *", "Europe/Bielefeld").unwrap_err();
    assert_eq!(error, CronError::Zone("Europe/Bielefeld".to_owned()));
}

#[test]
fn a_daily_job_runs_once_when_the_clock_jumps() {
    // In spring 02:30 does not come and runs at the jump; in autumn 01:30 or 02:30 comes twice and runs the first time.
    for (zone, expression, after, expected) in [
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2027-03-27T12:00:00Z",
            ["28 03:00:00 +0200", "29 02:30:00 +0200", "30 02:30:00 +0200"],
        ),
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2027-10-30T12:00:00Z",
            ["31 02:30:00 +0200", "01 02:30:00 +0100", "02 02:30:00 +0100"],
        ),
        (
            "America/New_York",
            "30 2 * * *",
            "2027-03-13T12:00:00Z",
            ["14 03:00:00 -0400", "15 02:30:00 -0400", "16 02:30:00 -0400"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2027-11-06T12:00:00Z",
            ["07 01:30:00 -0400", "08 01:30:00 -0500", "09 01:30:00 -0500"],
        ),
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2027-10-02T00:00:00Z",
            ["03 02:30:00 +1100", "04 02:15:00 +1100", "05 02:15:00 +1100"],
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2027-04-03T00:00:00Z",
            ["04 01:45:00 +1100", "05 01:45:00 +1030", "06 01:45:00 +1030"],
        ),
    ] {
        assert_eq!(times(expression, zone, after, 3), expected, "{zone}");
    }
}

#[test]
fn a_job_of_every_hour_follows_the_passing_of_time() {
    let spring = times("0 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", 2);
    assert_eq!(spring, ["28 03:00:00 +0200", "28 04:00:00 +0200"], "an hour after 01:00 it is 03:00");
    let autumn = times("30 * * * *", "Europe/Berlin", "2027-10-30T23:45:00Z", 3);
    assert_eq!(autumn, ["31 02:30:00 +0200", "31 02:30:00 +0100", "31 03:30:00 +0100"]);
    let seldom = times("0 * 1 1 *", "America/New_York", "2027-01-02T06:00:00Z", 1);
    assert_eq!(seldom, ["01 00:00:00 -0500"], "a year away");
}

#[test]
fn a_day_that_a_zone_skipped_ends_with_its_jump() {
    // Samoa had no 30th of December 2011.
    let samoa = times("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", 2);
    assert_eq!(samoa, ["31 00:00:00 +1400", "31 12:00:00 +1400"]);
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // 2000 to 2060.
    (946_684_800_i64..2_840_140_800).prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
}

fn expression() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        (1..30_u32).prop_map(|n| format!("*/{n}")),
        (0..60_u32).prop_map(|n| n.to_string())
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (0..24_u32).prop_map(|n| n.to_string()),
        (0..12_u32).prop_map(|n| format!("{n}-{}", n + 6))
    ];
    let day = prop_oneof![3 => Just("*".to_owned()), 1 => (1..29_u32).prop_map(|n| n.to_string())];
    let weekday = prop_oneof![3 => Just("*".to_owned()), 1 => (0..7_u32).prop_map(|n| n.to_string())];
    (minute, hour, day, weekday)
        .prop_map(|(minute, hour, day, weekday)| format!("{minute} {hour} {day} * {weekday}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_daily_job_runs_once_on_each_date(
        zone in prop::sample::select(&ZONES[..]), hour in 0..24_u32, minute in 0..60_u32, start in instant()
    ) {
        let daily = cadence(&format!("{minute} {hour} * * *"), zone);
        let zone: Tz = zone.parse().unwrap();
        let dates: Vec<NaiveDate> =
            daily.upcoming(start, 400).into_iter().map(|time| time.with_timezone(&zone).date_naive()).collect();
        for pair in dates.windows(2) {
            prop_assert_eq!(pair[0].succ_opt(), Some(pair[1]));
        }
    }

    #[test]
    fn an_hourly_job_is_never_two_hours_late_nor_doubled(
        zone in prop::sample::select(&ZONES[..]), minute in 0..60_u32, start in instant()
    ) {
        let hourly = cadence(&format!("{minute} * * * *"), zone);
        for pair in hourly.upcoming(start, 3_000).windows(2) {
            let minutes = (pair[1] - pair[0]).num_minutes();
            prop_assert!((30..=90).contains(&minutes), "{} then {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn times_come_in_order_and_none_lies_between(
        zone in prop::sample::select(&ZONES[..]), expression in expression(), start in instant(), ahead in 1..100_000_i64
    ) {
        let cadence = cadence(&expression, zone);
        let next = cadence.after(start).unwrap();
        prop_assert!(next > start);
        // Asked from anywhere before it, the next time is the same one.
        let between = start + TimeDelta::seconds(ahead % (next - start).num_seconds());
        prop_assert_eq!(cadence.after(between), Some(next));
    }

    #[test]
    fn the_latest_times_are_the_last_of_all(
        zone in prop::sample::select(&ZONES[..]), expression in expression(), start in instant(), hours in 0..400_i64,
        most in 1..20_usize
    ) {
        let cadence = cadence(&expression, zone);
        let until = start + TimeDelta::hours(hours);
        let all: Vec<_> = std::iter::successors(cadence.after(start - SECOND), |last| cadence.after(*last))
            .take_while(|time| *time <= until).collect();
        prop_assert_eq!(cadence.latest(start, until, most), &all[all.len().saturating_sub(most)..]);
    }
}
