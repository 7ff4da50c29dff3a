"""Other machines' step times, and what a choice of widths would have cost there."""

import json

import pytest

from trchat.bench.curves import load_curve
from trchat.errors import UsageError
from trchat.recycling.cost import FixedCosts, Preparing

CURVE = {"backend": "a laptop", "shape_change_ms": 2.0, "ms": {"1": 10.0, "2": 12.0, "4": 20.0}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "curves.json"
    path.write_text(json.dumps({"curves": {"laptop": CURVE, "bad": {"ms": {"2": 1}}, "worse": {"ms": 5}}}))
    return path


def test_times_are_read_and_filled_in_between(file):
    costs = load_curve(f"{file}:laptop").costs()
    assert [costs.of(width) for width in (1, 2, 3, 4)] == [10.0, 12.0, 16.0, 20.0]
    assert costs.preparing_ms(Preparing.CHANGE) == 2.0


def test_beyond_the_widest_time_none_is_cheaper():
    assert [FixedCosts({1: 10.0, 2: 5.0}, 0.0).of(width) for width in (2, 4, 64)] == [5.0, 5.0, 5.0]
    assert FixedCosts({1: 10.0, 2: 12.0}, 0.0).of(4) == 16.0


def test_the_total_counts_every_change_of_width(file):
    curve = load_curve(f"{file}:laptop")
    assert curve.total_ms([1, 1, 4, 4, 1]) == 10 + 10 + (20 + 2) + 20 + (10 + 2)
    assert curve.total_ms([]) == 0.0


@pytest.mark.parametrize(
    ("name", "message"),
    [("desktop", "it has bad, laptop, worse"), ("bad", "needs the time of width 1"), ("worse", "malformed")],
)
def test_bad_curves_are_one_line(file, name, message):
    with pytest.raises(UsageError, match=message):
        load_curve(f"{file}:{name}")


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ('{"ms": {"1": NaN, "2": 3}}', "no step can take"),
        ('{"ms": {"1": 1, "2": Infinity}}', "no step can take"),
        ('{"ms": {"1": 1, "2": 0}}', "no step can take"),
        ('{"ms": {"1": 1, "2": 2}, "shape_change_ms": -1}', "no step can take"),
        ('{"ms": {"1": 1, "0": 2}}', "needs the time of width 1"),
        ('{"ms": {"1": 1, "2": 1' + "0" * 400 + "}}", "malformed"),
    ],
)
def test_times_that_cannot_be_are_refused(tmp_path, curve, message):
    path = tmp_path / "curves.json"
    path.write_text(f'{{"curves": {{"x": {curve}}}}}')
    with pytest.raises(UsageError, match=message):
        load_curve(f"{path}:x")


@pytest.mark.parametrize("text", ['{"curves": 5}', '{"curves": ["x"]}', "5", "[" * 100_000])
def test_files_of_something_else_are_one_line(tmp_path, text):
    path = tmp_path / "curves.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot read cost curves"):
        load_curve(f"{path}:x")


def test_bad_files_are_one_line(tmp_path):
    with pytest.raises(UsageError, match="wants FILE:NAME"):
        load_curve("laptop")
    with pytest.raises(UsageError, match="cannot read cost curves"):
        load_curve(f"{tmp_path / 'none.json'}:laptop")
