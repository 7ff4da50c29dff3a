"""Where later prompts part from one that is read now."""

from trchat.chat.checkpoints import EVERY, checkpoints
from trchat.chat.prompt import Prompt
from trchat.chat.template import Turn
from trchat.errors import UsageError

SYSTEM, FIRST, ANSWER, SECOND = (
    Turn("system", "Be kind"),
    Turn("user", "Name a tree"),
    Turn("assistant", "<think>oak or elm</think>oak"),
    Turn("user", "Why"),
)


def build(turns):
    """A thinking model's template, a character a token: reasoning stays in the last answer only."""
    text = ""
    for turn in turns:
        said = turn.content.split("</think>")[-1] if turn.role == "assistant" else turn.content
        text += f"<{turn.role}>{said}\n"
    return Prompt([ord(letter) for letter in text + "<assistant><think>"], "<think>")


def points(turns):
    ids = build(turns).ids
    text = "".join(map(chr, ids))
    return [text[:point] for point in checkpoints(turns, build, ids)]


def test_a_prompt_is_come_back_to_before_its_question_and_behind_it():
    edited, next_turn, again = points([SYSTEM, FIRST])
    assert edited == "<system>Be kind\n<user>"
    assert next_turn == "<system>Be kind\n<user>Name a tree\n<assistant>"
    assert again == next_turn + "<think"


def test_further_on_the_system_prompt_is_one_of_the_places():
    system, edited, next_turn, again = points([SYSTEM, FIRST, ANSWER, SECOND])
    assert system == "<system>Be kind\n<user>"
    assert edited == "<system>Be kind\n<user>Name a tree\n<assistant>oak\n<user>"
    assert next_turn == edited + "Why\n<assistant>"
    assert again == next_turn + "<think"


def test_a_template_that_refuses_leaves_the_others():
    def strict(turns):
        if turns[-1].content == "Other" and len(turns) > 2:
            raise UsageError("no")
        return build(turns)

    ids = build([SYSTEM, FIRST]).ids
    assert checkpoints([SYSTEM, FIRST], strict, ids) == [len("<system>Be kind\n<user>"), len(ids) - 1]


def test_a_long_prompt_has_places_in_its_middle():
    turns = [Turn("user", "word " * 2000)]
    ids = build(turns).ids
    assert {EVERY, 2 * EVERY} <= set(checkpoints(turns, build, ids))
