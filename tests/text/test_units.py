"""Sizes and counts as people read them."""

from datetime import datetime

import pytest

from trchat.text.units import byte_size, date_and_time, parameter_count


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9951, "10 kB"),
        (98_362_432, "98 MB"),
        (999_499_999, "999 MB"),
        (999_999_999, "1.0 GB"),
        (4_700_000_000, "4.7 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_byte_sizes(count, shown):
    assert byte_size(count) == shown


def test_parameter_counts():
    assert [parameter_count(n) for n in (1088, 134_515_008, 7_241_732_096)] == ["1.1K", "135M", "7.2B"]


def test_times_are_on_the_clock_of_this_machine():
    then = datetime(2026, 11, 24, 20, 54, 30).astimezone()
    assert date_and_time(then.timestamp()) == "2026-11-24 20:54"
