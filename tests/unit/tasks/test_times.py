"""Moments, durations and intervals in words."""

from tasks.intervals import INTERVAL_SECONDS, interval_of, interval_seconds
from tasks.times import iso, span, utc_day, utc_minute, utc_second


def test_moments_are_utc_whatever_their_precision():
    assert iso(1704067200) == "2024-01-01T00:00:00Z"
    assert iso(1704067200.25) == "2024-01-01T00:00:00.250Z"
    assert iso(float("nan")) == "nan"
    assert (utc_second(1704067261), utc_minute(1704067261), utc_day(1704067261)) == (
        "2024-01-01 00:01:01",
        "2024-01-01 00:01",
        "2024-01-01",
    )


def test_durations_name_two_units_at_most():
    assert [span(42.4), span(200), span(7500)] == ["42 s", "3 min 20 s", "2 h 5 min"]


def test_a_month_counts_thirty_days_everywhere():
    assert interval_seconds("1M") == INTERVAL_SECONDS["1M"] == 30 * 86400
    assert interval_of(INTERVAL_SECONDS["1w"]) == "1w"
