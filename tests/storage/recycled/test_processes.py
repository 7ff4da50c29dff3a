"""Real processes: killed in the middle of saving, or several at once on one store."""

import os
import random
import signal
import sqlite3

import numpy as np
import pytest

from tests.storage.processes import assert_whole, start, start_together
from tests.storage.recycled.learned import counts, expected, identity, known
from trchat.storage.recycled.files import open_memory, store_file
from trchat.storage.recycled.records import Totals
from trchat.storage.recycled.store import RecycledStore

pytestmark = pytest.mark.slow

KILLS = 50
WRITERS = 4
WRITING_S = 10
OWN = 40

# Every save holds one number in all its rows. It is told when it is on the disk, not before. The process that
# saves is a fork: starting Python fifty times would take longer than all else here.
SAVER = """
import os, sys
from tests.storage.recycled.learned import identity, one, teach
from trchat.storage.recycled.files import open_memory
def save_for_ever(number):
    memory = open_memory(identity(), "cpu", sys.exit)
    while True:
        number += 1
        teach(memory.knowledge, range(0, 300, 3), [number] * 100)
        print("saving", number, flush=True)
        memory.save("auto", one(number, 1))
        memory._writer.wait(60)
        print("saved", number, flush=True)
while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        save_for_ever(int(line))
    print("child", child, flush=True)
    print("killed", os.waitpid(child, 0)[1], flush=True)
"""

# Each writer has tokens of its own, and all learn of one more; every round is a save, waited for or not.
WRITER = """
import sys
from time import monotonic
import numpy as np
from tests.storage.recycled.learned import identity, one, teach
from trchat.storage.recycled.files import open_memory
me, seconds, own = map(int, sys.argv[1:])
tokens = range(me * 600, me * 600 + own * 3, 3)
sys.stdin.readline()
memory = open_memory(identity(), "cpu", lambda line: print(line, flush=True))
number, end = -1, monotonic() + seconds
while monotonic() < end and number < 1200:  # from 4,000 labels on, counts are halved
    number += 1
    teach(memory.knowledge, tokens, [number * 7 + me] * own)
    teach(memory.knowledge, [4500], [number])
    memory.matrix.update(np.array([me]), np.arange(number, number + 8)[None])
    kinds = np.full(3, 1 + me, np.intp)
    memory.knowledge.calibration.learn(kinds, np.array([True, True, False]))
    memory.save("auto", one())
    if number % 3:
        memory._writer.wait(60)
print(number + 1 if memory.close(60) else "late", flush=True)
"""


def read_store(warnings):
    store = RecycledStore(store_file(identity()), identity(), warnings.append)
    try:
        return store.totals()["auto"]
    finally:
        store.close()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_in_the_middle_of_saving_again_and_again(warnings):
    chance = random.Random(4)
    number = unfinished = 0
    tokens = range(0, 300, 3)
    saver = start(SAVER)
    for _ in range(KILLS):
        print(number, file=saver.stdin, flush=True)
        wanted, told = chance.randint(2, 12), []
        while len(told) < wanted or not any(each.startswith("child") for each in told):
            told.append(saver.stdout.readline())
        child = next(int(each.split()[1]) for each in told if each.startswith("child"))
        os.kill(child, signal.SIGKILL)
        while not told[-1].startswith("killed"):
            told.append(saver.stdout.readline())
            assert told[-1], saver.stderr.read()
        assert told.pop() == f"killed {signal.SIGKILL:d}\n"
        told = [each for each in told if not each.startswith("child")]
        completed = [int(each.split()[1]) for each in told if each.startswith("saved ")]
        last = max(completed, default=number)
        unfinished += told[-1:] != [] and told[-1].startswith("saving")
        if store_file(identity()).exists():
            assert_whole(store_file(identity()))
        memory = open_memory(identity(), "cpu", warnings.append, remember=False)
        found = known(memory.knowledge, tokens)
        if found != [[[]] * len(memory.knowledge.tables)] * 100:
            # All of one save, and that one is the last completed, or the one it was killed in.
            matching = [n for n in range(last, last + 3) if found == expected([n] * 100)]
            assert len(matching) == 1
            number = matching[0]
            assert read_store(warnings).tokens == sum(range(1, number + 1))
        else:
            assert last == 0
    assert saver.communicate()[1] == ""
    assert warnings == []
    assert unfinished > 5 and number > 50


def test_several_processes_on_one_store_lose_nothing(warnings):
    writers = [start(WRITER, me, WRITING_S, OWN) for me in range(WRITERS)]
    start_together(writers)
    rounds = []
    for writer in writers:
        said, complaints = writer.communicate()
        assert (writer.returncode, complaints) == (0, "") and said.strip().isdecimal(), said
        rounds.append(int(said))
    assert min(rounds) > 1 and sum(rounds) > 40
    assert_whole(store_file(identity()))
    memory = open_memory(identity(), "cpu", warnings.append, remember=False)
    for me, last in enumerate(rounds):
        tokens = range(me * 600, me * 600 + OWN * 3, 3)
        assert known(memory.knowledge, tokens) == expected([(last - 1) * 7 + me] * OWN)
        assert memory.matrix.candidates[me].tolist() == list(range(last - 1, last + 7))
    # Who saved last is the newest; it had learned all its rounds by then.
    assert known(memory.knowledge, [4500]) in [expected([number]) for number in range(max(rounds))]
    hits, seen = counts(memory.knowledge.calibration)
    assert np.allclose(seen[1 : 1 + WRITERS], 3 * np.array(rounds), rtol=1e-3)
    assert np.allclose(hits[1 : 1 + WRITERS], 2 * np.array(rounds), rtol=1e-3)
    assert read_store(warnings) == Totals(sum(rounds), *(sum(rounds) * n for n in (10, 4, 8, 6)))
    assert warnings == []


def test_what_one_process_saves_another_one_that_runs_takes_in(warnings):
    """Between two answers, without starting again."""
    from tests.storage.recycled.learned import one, teach

    first, second = (open_memory(identity(), "cpu", warnings.append) for _ in range(2))
    for each in (first, second):
        each.knowledge  # noqa: B018  (filled at the first use)
    teach(first.knowledge, [1, 2], [10, 20])
    first.save("auto", one())
    assert first._writer.wait(60)
    teach(second.knowledge, [2], [99])
    second.save("auto", one())
    assert second._writer.wait(60)
    second.save("auto", one())
    assert known(second.knowledge, [1, 2]) == expected([10, 99]), "newer is what was learned later"
    assert second._writer.wait(60)
    for _ in range(2):
        first.save("auto", one())
        assert first._writer.wait(60)
    assert known(first.knowledge, [1, 2]) == expected([10, 99])
    first.close(60)
    second.close(60)
    connection = sqlite3.connect(store_file(identity()))
    counts = connection.execute("SELECT count FROM segments WHERE source = 'rows1' ORDER BY generation")
    assert counts.fetchall() == [(2,), (1,)], "what came from the other is not written again"
    connection.close()
    assert warnings == []
