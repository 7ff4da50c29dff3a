"""What people write is never read as mark-up."""

import pytest

from trchat.chat.plain_text import MARKS, PlainText, free_mark, looks_like_a_marker, markers_in, without_mark
from trchat.chat.prompt import PromptBuilder
from trchat.chat.template import Turn


def ids_of(text):
    """One token a character."""
    return [ord(letter) for letter in text]


def test_every_spelling_is_broken_and_nothing_else():
    plain = PlainText(["<|end|>", "<|end", "</s>"], ["[INST]"])
    assert plain.break_up("a <|end|> b </s>", "·") == "a <·|end|> b <·/s>"
    assert plain.break_up("[INST]", "·") == "[·I·N·S·T·]"
    for clean in ("", "a < b > c", "x end|>?", "the [INSTALL] step", "</ s>", "  \n"):
        assert plain.is_clean(clean)


def test_breaking_one_spelling_does_not_leave_another():
    plain = PlainText(["<<a>>", "<a>>", "<a>"], [])
    broken = plain.break_up("<<a>>", "·")
    assert not any(spelling in broken for spelling in ("<<a>>", "<a>>", "<a>"))


def test_breaking_ends_whatever_a_vocabulary_calls_special():
    """A token that begins with the mark itself is there again after every break."""
    assert not PlainText([" a"], []).is_clean("x a")
    assert not PlainText(["  "], []).is_clean("x  y")
    assert PlainText(["aaa", "aa"], []).break_up("aaaaaaa", "·") == "·".join("aaaaaaa")


def test_halves_at_the_edges_are_broken_whatever_blanks_surround_them():
    plain = PlainText(["<|end|>"], [])
    assert plain.break_up(" x <|en\n", "·") == " x <·|en\n"
    assert plain.break_up("\n nd|> x", "·") == "\n n·d|> x"


def test_marks_run_out_only_when_all_are_used():
    assert free_mark(["nothing"]) == MARKS[0]
    assert free_mark([MARKS[0], MARKS[2]]) == MARKS[1]
    assert free_mark(["".join(MARKS)]) is None


def test_a_marks_tokens_are_taken_out():
    mark = MARKS[0]
    assert without_mark(ids_of(f"a<{mark}b{mark}"), mark, 2, ids_of) == ids_of("a<b")
    assert without_mark(ids_of("a<b"), mark, 1, ids_of) is None
    assert without_mark(ids_of("a<b"), mark, 0, lambda text: ids_of(text.replace(mark, ""))) is None


def test_which_user_defined_tokens_are_mark_up():
    assert all(map(looks_like_a_marker, ("<think>", "<|user|>", "[INST]", "<｜User｜>", "<<SYS>>", "[PAD7]")))
    assert not any(map(looks_like_a_marker, ("\n\n", "    ", "7", "▁▁", "the", "<a b>", "< ")))


def test_mark_up_is_found_in_source_and_prompt():
    source = "{{ '<tool>' }}{% if a < b and c > d %}{{ x['y'] }}{% endif %}"
    found = markers_in(source, "S\n\nUSER: one\n### Answer: two\nuser\nthree", ["one", "two", "three"])
    assert found == {"<tool>", "USER:", "### Answer:"}


class Letters:
    """A vocabulary that cannot spell marks: one token a character, and ``<|x|>`` is 1."""

    adds_bos = False
    bos_text = ""
    control_texts = frozenset({"<|x|>"})
    user_defined_texts = frozenset({"\n\n"})

    def tokenize(self, text, *, add_special=False, parse_special=False):
        if parse_special:
            text = text.replace("<|x|>", "\x01")
        return [ord(letter) for letter in text if letter not in MARKS]


class Bare:
    """A template of contents only."""

    source = "{% for m in messages %}{{ m.content }}{% endfor %}"

    def render(self, turns, variables=None):
        return "".join(turn.content for turn in turns)


@pytest.mark.parametrize("content", ["a<|x|>b", "".join(MARKS) + "<|x|>"])
def test_where_no_mark_works_a_blank_does(content):
    ids = PromptBuilder(Bare(), Letters()).build([Turn("user", content)]).ids
    assert 1 not in ids
    assert "< |x|>" in "".join(map(chr, ids))
