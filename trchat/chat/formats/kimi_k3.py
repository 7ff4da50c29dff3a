"""Kimi K3: sections of one message, opened and closed by tags of two tokens and a word (XTML)."""

from trchat.chat.formats.interface import Marks
from trchat.chat.formats.tags import TagFormat, Tags

SPELLINGS = ("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>")
TOLD_BY = SPELLINGS[:3]


def kimi_k3(marks: Marks) -> TagFormat:
    """``<|open|>think<|sep|>...<|close|>think<|sep|><|open|>response<|sep|>...<|close|>response<|sep|>``."""

    def opened(name: str) -> str:
        return marks.coded(f"<|open|>{name}<|sep|>")

    def closed(name: str) -> str:
        return marks.coded(f"<|close|>{name}<|sep|>")

    tags = Tags(
        opening=opened("think"),
        opener=opened("think"),
        closing=closed("think") + opened("response"),
        closer=closed("think"),
        answering=opened("response"),
        answer_opener=opened("response"),
        ends=(closed("response"), closed("message"), opened("tools"), marks.coded("<|end_of_msg|>")),
        certain=True,
    )
    return TagFormat(tags, marks)
