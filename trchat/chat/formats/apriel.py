"""Apriel: reasoning that begins in words, which the prompt or the model writes, and ends at a marker."""

from trchat.chat.formats.interface import Marks
from trchat.chat.formats.tags import TagFormat, Tags

_CLOSER, _END = "[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"
SPELLINGS = (_CLOSER, _END, "<|end|>")
TOLD_BY = (_CLOSER,)


def apriel(marks: Marks) -> TagFormat:
    """``Here are my reasoning steps:\\n...\\n[BEGIN FINAL RESPONSE]\\n...\\n[END FINAL RESPONSE]``."""
    closer, end = marks.coded(_CLOSER), marks.coded(_END)
    tags = Tags(
        closing=f"\n{closer}\n",
        closer=closer,
        lead="Here are my reasoning steps:\n",
        ends=(marks.coded("<|end|>"),),
        last=(f"\n{end}", end),
    )
    return TagFormat(tags, marks)
