"""How long threads spin is set in time, and by the user first of all."""

import os
import re
import subprocess
import sys

import pytest

from trchat.llama import spinning
from trchat.llama.spinning import limit_spinning


def spins_of_library(**variables):
    """What libgomp says that it was loaded with, in a process that does no more than import ours."""
    environ = {name: value for name, value in os.environ.items() if name not in spinning._CHOSEN_BY_USER}
    code = "import trchat.llama.model"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environ, **variables, "OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)
    if not found:
        pytest.skip("this build's threads are not libgomp's")
    return found[1]


@pytest.mark.slow
def test_it_reaches_the_library():
    expected = {}
    limit_spinning(expected)
    assert spins_of_library() == expected["GOMP_SPINCOUNT"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables, spins", [({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")]
)
def test_the_user_wins(variables, spins):
    assert spins_of_library(**variables) == spins


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_nothing_is_added_to_what_the_user_set(name):
    environ = {name: "active"}
    limit_spinning(environ)
    assert environ == {name: "active"}


def test_a_spin_that_takes_no_time_is_made_more_often(monkeypatch):
    found = {}
    for machine in ("x86_64", "AMD64", "aarch64"):
        monkeypatch.setattr(spinning.platform, "machine", lambda machine=machine: machine)
        limit_spinning(environ := {})
        found[machine] = int(environ["GOMP_SPINCOUNT"])
    assert found["x86_64"] == found["AMD64"] < found["aarch64"]
