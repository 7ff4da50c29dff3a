"""Loading on the engine's thread: nobody waits for a model that is no longer wanted."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

from tests.tui.scripted_engine import ScriptedEngine
from trchat.errors import ModelError
from trchat.session.host import EngineHost
from trchat.session.news import LoadFailed, Ready

BEGUN_S = 20


class SlowModels:
    """As open_engine: reads the model ``endless`` as long as somebody wants it, others at once."""

    def __init__(self):
        self.begun = threading.Event()
        self.given_up = []

    @contextmanager
    def opener(self, path, settings, ctx, progress, tell):
        while path == "endless":
            self.begun.set()
            if progress(0.5) is False:
                self.given_up.append(path)
                raise ModelError("loading was stopped")
        with ScriptedEngine().opener(path, settings, ctx, progress, tell) as engine:
            yield engine


def prepared(path):
    settings = SimpleNamespace(draft="auto")
    return SimpleNamespace(model=SimpleNamespace(path=path), settings=settings, ctx=100)


def test_leaving_gives_up_the_model_that_is_being_loaded():
    models = SlowModels()
    host = EngineHost(None, lambda: None, models.opener)
    host.load(prepared("endless"))
    assert models.begun.wait(BEGUN_S)
    host.close()
    assert models.given_up == ["endless"]


def test_another_model_is_not_waited_for_and_nothing_is_said_of_the_first():
    models, come = SlowModels(), threading.Event()
    host = EngineHost(None, come.set, models.opener)
    host.load(prepared("endless"))
    assert models.begun.wait(BEGUN_S)
    host.load(prepared("other")).result(BEGUN_S)
    news = host.outbox.take()
    host.close()
    assert [type(each) for each in news if isinstance(each, LoadFailed | Ready)] == [Ready]
