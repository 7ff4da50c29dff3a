"""Real processes: killed in the middle of saving, or several at once on one file."""

import random
import signal

import pytest

from tests.storage.processes import assert_whole, start, start_together
from trchat.storage.conversations import ConversationStore

pytestmark = pytest.mark.slow

KILLS = 50
WRITERS = 4
WRITING_S = 10

# Says what is saved only after it is; a killer who has read a line may rely on it.
SAVER = """
import sys
from pathlib import Path
from trchat.storage.conversations import ConversationStore
store = ConversationStore(Path(sys.argv[1]), sys.exit)
chat = store.create_conversation()
while True:
    question = store.add_message(chat.id, "user", "question " * 20)
    answer = store.begin_answer(question.id, "model", {"temp": 0.7})
    for size in range(1, 6):
        store.update_answer(answer.id, "word " * 100 * size)
        print("updated", answer.id, size, flush=True)
    store.finish_answer(answer.id, "word " * 600, "stop")
    print("finished", answer.id, 6, flush=True)
"""

WRITER = """
import sys
from pathlib import Path
from time import monotonic
from trchat.storage.conversations import ConversationStore
sys.stdin.readline()
store = ConversationStore(Path(sys.argv[1]), lambda line: print(line, flush=True))
chat = store.create_conversation(sys.argv[2])
number, end = -1, monotonic() + float(sys.argv[3])
while monotonic() < end:
    number += 1
    question = store.add_message(chat.id, "user", f"{sys.argv[2]} asks {number}")
    answer = store.begin_answer(question.id)
    store.update_answer(answer.id, "half")
    store.finish_answer(answer.id, f"answer {number}", "stop")
store.close()
print("wrote", number + 1, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_in_the_middle_of_saving_again_and_again(tmp_path, warnings):
    file = tmp_path / "conversations.db"
    chance = random.Random(4)
    unfinished = 0
    for _ in range(KILLS):
        saver = start(SAVER, file)
        for _ in range(chance.randint(1, 15)):
            line = saver.stdout.readline()
        saver.kill()
        _, complaints = saver.communicate()
        assert (saver.returncode, complaints) == (-signal.SIGKILL, "")
        what, answer_id, size = line.split()
        assert_whole(file)
        store = ConversationStore(file, warnings.append)
        answer = store.message(int(answer_id))
        assert answer.text == "word " * 100 * (len(answer.text) // 500)
        assert len(answer.text) >= 500 * int(size)
        assert answer.interrupted == (len(answer.text) < 3000)
        assert what == "updated" or not answer.interrupted
        unfinished += store.thread(answer.conversation_id)[-1].interrupted
        store.close()
    assert warnings == []
    assert unfinished > 0
    store = ConversationStore(file, warnings.append)
    assert len(store.conversations()) == KILLS
    assert len(store.search("word", limit=1000)) > KILLS
    store.close()


@pytest.mark.parametrize(
    ("before", "seconds"), [(None, WRITING_S), (b"garbage" * 1000, 1)], ids=["no file", "damaged file"]
)
def test_several_processes_on_one_file(tmp_path, warnings, before, seconds):
    file = tmp_path / "conversations.db"
    if before:
        file.write_bytes(before)
    writers = {
        f"writer {number}": start(WRITER, file, f"writer {number}", seconds) for number in range(WRITERS)
    }
    start_together(writers.values())
    told, rounds = [], {}
    for title, writer in writers.items():
        said, complaints = writer.communicate()
        assert (writer.returncode, complaints) == (0, "")
        *lines, wrote = said.splitlines()
        told += lines
        rounds[title] = int(wrote.removeprefix("wrote "))
    assert_whole(file)
    store = ConversationStore(file, warnings.append)
    chats = {chat.title: store.thread(chat.id) for chat in store.conversations()}
    store.close()
    assert warnings == []
    for title, thread in chats.items():
        count = rounds[title]
        assert [message.text for message in thread[::2]] == [f"{title} asks {n}" for n in range(count)]
        assert [message.text for message in thread[1::2]] == [f"answer {n}" for n in range(count)]
    if before is None:
        assert told == [] and len(chats) == WRITERS and min(rounds.values()) > 1
    else:
        # Who comes second to a damaged file may find it renamed under its feet, and says so.
        assert chats and told
