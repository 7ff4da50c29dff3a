"""Choosing a model on the screen, before the chat and in it; downloading one."""

import asyncio
from time import monotonic

import pytest

from tests.gguf_files import write_gguf
from tests.tiny_gguf import make
from trchat.catalog.sources import models_dir
from trchat.errors import TrchatError
from trchat.tui.screens.models import ChooseModel


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """In place of the network: what is asked for is told to ``asked``, a file arrives or an error does."""
    tiny = make(tmp_path / "arrived.gguf")

    class Downloads:
        error = None
        path = tiny
        cancels = False

        def download(self, spec, notify, progress):
            self.asked.append(spec)
            notify(f"{spec}: arrived.gguf (10 MB)")
            progress(5_000_000, 10_000_000)
            if self.error:
                raise self.error
            end = monotonic() + 10
            while self.cancels and monotonic() < end:
                progress(5_000_001, 10_000_000)
            return self.path

    found = Downloads()
    found.asked = []
    monkeypatch.setattr("trchat.tui.screens.models.download", found.download)
    return found


def test_the_list_says_what_matters_and_marks_the_one_in_use(run_chat):
    write_gguf(models_dir() / "zebra.gguf", name="zebra")

    async def test(chat):
        name = chat.session.prepared.model.name
        await chat.pilot.press("f3")
        await chat.sees(f"● {name}", "135M · Q4_1", "in use", "zebra", "fits · own", "↓ Download a model…")
        await chat.pilot.press("enter")  # the one in use is highlighted
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert len(chat.engine.opened) == 1

    run_chat(test, size=(110, 30), model="SmolLM2")


def test_one_that_was_given_by_path_is_in_the_list(run_chat, tmp_path):
    tiny = make(tmp_path / "given.gguf")

    async def test(chat):
        await chat.pilot.press("f3")
        await chat.sees("● given")

    run_chat(test, model=str(tiny))


def test_a_model_is_downloaded_from_within_the_chat_and_used(run_chat, downloads):
    async def test(chat):
        await chat.pilot.press("f3", *"download", "enter")
        await chat.sees("OWNER/NAME")
        await chat.pilot.press(*"org/repo", "enter")
        await chat.until(lambda: len(chat.engine.opened) == 2)
        assert chat.engine.opened[1][0] == downloads.path
        assert downloads.asked == ["org/repo"]

    run_chat(test)


def test_a_model_is_downloaded_by_command(run_chat, downloads):
    async def test(chat):
        await chat.send("/model get org/repo")
        await chat.until(lambda: len(chat.engine.opened) == 2)
        assert chat.engine.opened[1][0] == downloads.path
        assert downloads.asked == ["org/repo"]

    run_chat(test)


def test_a_download_that_fails_says_why_and_leads_back_to_the_list(run_chat, downloads):
    downloads.error = TrchatError("not enough disk space: 10 MB to download, 1 MB free in /")

    async def test(chat):
        await chat.pilot.press("f3", *"download", "enter", *"org/repo", "enter")
        await chat.sees("not enough disk space")
        await chat.pilot.press("escape")
        await chat.sees("Models", "↓ Download a model…")
        await chat.pilot.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert len(chat.engine.opened) == 1

    run_chat(test)


def test_a_download_shows_how_far_it_is_and_can_be_cancelled(run_chat, downloads):
    downloads.cancels = True

    async def test(chat):
        await chat.pilot.press("f3", *"download", "enter", *"org/repo", "enter")
        await chat.sees("Downloading: 5.0 MB of 10 MB", "50%")
        await chat.pilot.press("escape")
        await chat.sees("Models")
        downloads.cancels = False

    run_chat(test)


def test_with_several_models_and_none_named_the_list_comes_first():
    first = write_gguf(models_dir() / "first.gguf", name="first")
    write_gguf(models_dir() / "second.gguf", name="second")

    async def chosen(*keys):
        app = ChooseModel()
        async with app.run_test() as pilot:
            end = monotonic() + 10
            while not app.screen.query("#list") and monotonic() < end:
                await pilot.pause()
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
        return app.return_value

    assert asyncio.run(chosen(*"first", "enter")) == str(first)
    assert asyncio.run(chosen("escape")) is None
