"""Odd model files: whatever llama.cpp makes of them, the program ends with a documented code and one line."""

import pytest

from tests.odd_gguf import make_odd, verdict

pytestmark = pytest.mark.slow

CRASHES = (18, 21, 33)
"""Of these llama.cpp 0.3.36 ends its process: a number of layers, of heads, and a token twice."""


@pytest.mark.parametrize("number", [*CRASHES, 5, 12])
def test_an_odd_file_is_answered_or_refused_in_one_line(number, tmp_path):
    path = tmp_path / "odd.gguf"
    what = make_odd(path, number)
    word, err = verdict(path)
    assert not word.startswith(("BAD", "hangs")), (what, word, err)
    if number in CRASHES:
        assert word != "answers"
