"""Two sessions and a reset on one store, in any order: what was saved last is what is there."""

import shutil
import tempfile
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.storage.recycled.learned import expected, identity, known, one, teach
from trchat.recycling.knowledge import Knowledge
from trchat.storage import connection
from trchat.storage.recycled.files import open_memory, reset_store, store_file
from trchat.storage.recycled.store import RecycledStore

TOKENS = [10 * number for number in range(8)]
NOTHING = [[]] * len(Knowledge().tables)
SESSIONS = st.sampled_from(["first", "second"])

pytestmark = pytest.mark.slow


class TwoOnOneStore(RuleBasedStateMachine):
    """``stored``: what the file must hold; ``fresh``: what each session has learned and not yet saved."""

    @initialize()
    def begin(self):
        self.home = tempfile.mkdtemp()
        self.patches = [
            mock.patch.dict("os.environ", TRCHAT_HOME=self.home),
            mock.patch.object(connection, "PRAGMAS", (*connection.PRAGMAS, "PRAGMA synchronous = OFF")),
        ]
        for each in self.patches:
            each.start()
        self.told, self.stored, self.tokens = [], {}, 0
        self.fresh = {"first": {}, "second": {}}
        self.open = {who: self.opened() for who in self.fresh}

    def opened(self):
        memory = open_memory(identity(), "cpu", self.told.append)
        memory.knowledge  # noqa: B018  (filled at the first use)
        return memory

    @rule(who=SESSIONS, token=st.sampled_from(TOKENS), number=st.integers(0, 700))
    def learn(self, who, token, number):
        teach(self.open[who].knowledge, [token], [number])
        self.fresh[who][token] = number
        assert known(self.open[who].knowledge, [token]) == expected([number])

    @rule(who=SESSIONS)
    def save(self, who):
        assert self.open[who].save("auto", one())
        assert self.open[who]._writer.wait(60)
        self.tokens += 10
        self.stored |= self.fresh[who]
        self.fresh[who].clear()

    @rule(who=SESSIONS)
    def end_and_begin_anew(self, who):
        assert self.open[who].close(60)
        self.stored |= self.fresh[who]
        self.fresh[who].clear()
        self.open[who] = self.opened()
        assert self.rows(self.open[who]) == self.wanted()

    @rule()
    def reset(self):
        reset_store(identity())
        self.stored.clear()
        self.tokens = 0

    @invariant()
    def the_file_holds_what_was_saved_last(self):
        if not hasattr(self, "open"):
            return
        reader = open_memory(identity(), "cpu", self.told.append, remember=False)
        assert self.rows(reader) == self.wanted()
        store = RecycledStore(store_file(identity()), identity(), self.told.append)
        totals = store.totals()
        store.close()
        assert sum(each.tokens for each in totals.values()) == self.tokens
        assert self.told == []

    def rows(self, memory):
        return known(memory.knowledge, TOKENS)

    def wanted(self):
        return [expected([self.stored[t]])[0] if t in self.stored else NOTHING for t in TOKENS]

    def teardown(self):
        if not hasattr(self, "open"):
            return
        for memory in self.open.values():
            memory.close(60)
        for each in self.patches:
            each.stop()
        shutil.rmtree(self.home)


TestTwoOnOneStore = TwoOnOneStore.TestCase
TestTwoOnOneStore.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
