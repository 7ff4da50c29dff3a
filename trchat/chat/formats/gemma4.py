"""Gemma 4: a channel called ``thought``, which larger ones open empty, and close once too often at times."""

from trchat.chat.formats.interface import Marks
from trchat.chat.formats.tags import TagFormat, Tags

SPELLINGS = ("<|channel>", "<channel|>", "<turn|>", "<|turn>")
TOLD_BY = SPELLINGS[:2]


def gemma4(marks: Marks) -> TagFormat:
    """``<|channel>thought\\n...<channel|>`` and then the answer."""
    opener, closer = marks.coded("<|channel>thought"), marks.coded("<channel|>")
    tags = Tags(
        opening=opener + "\n",
        opener=opener,
        closing="\n" + closer,
        closer=closer,
        ends=(marks.coded("<turn|>"),),
        certain=True,
        dropped=(marks.coded("<|channel>"),),
    )
    return TagFormat(tags, marks)
