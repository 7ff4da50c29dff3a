"""The engine's thread: nobody waits for what is no longer wanted, or for what went wrong."""

import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from tests.tui.scripted_engine import ScriptedEngine
from trchat.config import Settings
from trchat.errors import ModelError
from trchat.session.host import EngineHost
from trchat.session.job import Job
from trchat.session.news import Ended, LoadFailed, Notice, Ready

BEGUN_S = 20


class SlowModels:
    """As open_engine: reads the model ``endless`` as long as somebody wants it, others at once."""

    def __init__(self):
        self.begun = threading.Event()
        self.given_up = []

    @contextmanager
    def opener(self, path, settings, ctx, progress, tell):
        while path.name == "endless":
            self.begun.set()
            if progress(0.5) is False:
                self.given_up.append(path.name)
                raise ModelError("loading was stopped")
        with ScriptedEngine().opener(path, settings, ctx, progress, tell) as engine:
            yield engine


def prepared(path):
    settings = Settings()
    return SimpleNamespace(model=SimpleNamespace(path=Path(path)), settings=settings, ctx=100)


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


class BrokenStore:
    """A store in which nothing can be written, in a way that nobody foresaw."""

    def __getattr__(self, name):
        raise RuntimeError("the store is broken")


def ready_host(store=None, **engine):
    host = EngineHost(store, lambda: None, ScriptedEngine(**engine).opener)
    host.load(prepared("some")).result(BEGUN_S)
    host.outbox.take()
    return host


def test_an_answer_ends_whatever_goes_wrong_with_saving_it():
    host = ready_host(BrokenStore())
    settings = Settings(temp=0)
    host.write(Job(7, [], settings, seed=1)).result(BEGUN_S)
    host.close()
    (ended,) = [news for news in host.outbox.take() if isinstance(news, Ended)]
    assert (ended.message_id, ended.finish, ended.error) == (7, "error", "RuntimeError: the store is broken")


def test_a_draft_mode_that_cannot_be_had_is_told():
    host = ready_host()

    def fails(mode):
        raise ModelError(f"no {mode} today")

    host._engine.use_draft = fails
    host.set_draft("lookup").result(BEGUN_S)
    host.close()
    assert [news.text for news in host.outbox.take() if isinstance(news, Notice)] == ["no lookup today"]
