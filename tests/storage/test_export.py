"""Conversations as Markdown and JSON."""

import json

from trchat.storage.export import to_json, to_markdown
from trchat.storage.records import LATEST_TIME_S, Conversation, Message

CHAT = Conversation(3, "Blue *sky*\n", 4, 4, "smol", 1_700_000_000.0, 1_700_000_060.25)
MESSAGES = [
    Message(1, 3, None, "system", "Be brief.", finished_at=0.0),
    Message(2, 3, 1, "user", "\nWhy?\n\n    code\n", created_at=1_700_000_000.0, finished_at=1.0),
    Message(
        3,
        3,
        2,
        "assistant",
        "# So\n🎉",
        "Let me see\n",
        "smol",
        {"temp": 0.5},
        9,
        12,
        34.56,
        "length",
        finished_at=2.0,
    ),
    Message(4, 3, 2, "assistant", "", model="smol"),
]


def test_markdown():
    assert (
        to_markdown(CHAT, MESSAGES)
        == """# Blue *sky*

_2023-11-14 22:13 UTC_

## System

Be brief.

## You

Why?

    code

## Assistant

<details>
<summary>Reasoning</summary>

Let me see

</details>

# So
🎉

_smol · 12 tokens · 34.6 tokens/s · cut by the token limit_

## Assistant

_smol · interrupted_
"""
    )


def test_json_keeps_everything():
    document = json.loads(to_json(CHAT, MESSAGES))
    assert (document["format"], document["version"], document["id"]) == ("trchat-conversation", 1, 3)
    assert (document["title"], document["active_leaf"]) == (CHAT.title, 4)
    assert document["updated_at"] == "2023-11-14T22:14:20.250Z"
    assert document["messages"][2] == {
        "id": 3,
        "parent_id": 2,
        "role": "assistant",
        "text": "# So\n🎉",
        "reasoning": "Let me see\n",
        "model": "smol",
        "settings": {"temp": 0.5},
        "prompt_tokens": 9,
        "completion_tokens": 12,
        "tokens_per_s": 34.56,
        "finish_reason": "length",
        "interrupted": False,
        "created_at": "1970-01-01T00:00:00.000Z",
        "finished_at": "1970-01-01T00:00:02.000Z",
    }
    assert [message["interrupted"] for message in document["messages"]] == [False, False, False, True]


def test_the_last_date_there_is():
    late = Conversation(1, "", 0, None, None, LATEST_TIME_S, LATEST_TIME_S)
    assert to_markdown(late, []) == "# Untitled conversation\n\n_3000-01-01 00:00 UTC_\n"
