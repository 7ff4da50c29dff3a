import asyncio
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from tests.tui.scripted_engine import ScriptedEngine
from trchat.startup import prepare
from trchat.tui.app import TrchatApp

LONGEST_S = 10


class Chat:
    """The app in a test: what a user does to it, and what can be seen."""

    def __init__(self, app, pilot, engine):
        self.app, self.pilot, self.engine = app, pilot, engine
        self.screen, self.session = app.chat, app.session

    async def until(self, condition):
        """Let the app work until ``condition`` holds."""
        end = monotonic() + LONGEST_S
        while not condition():
            assert monotonic() < end, f"this never came: {condition}\n{self.text}"
            await self.pilot.pause()
        await self.pilot.pause()

    async def send(self, text, wait=True):
        self.screen.prompt.put(text)
        await self.pilot.press("enter")
        await self.pilot.pause()
        if wait:
            await self.idle()

    async def sees(self, *words):
        """Wait until all of these stand on the screen."""
        await self.until(lambda: all(word in self.words for word in words))

    async def idle(self):
        await self.until(lambda: not self.session.busy)

    async def at_stop(self):
        """Wait until the engine stands at STOP_HERE and all before is on the screen."""
        await self.until(self.engine.waiting.is_set)
        self.engine.waiting.clear()

    @property
    def text(self):
        """All that is on the screen, as text."""
        rows = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join(strip.text.rstrip() for strip in rows)

    @property
    def words(self):
        """The same without line breaks and frames; notices too, which lie above it."""
        told = " ".join(each.message for each in self.app._notifications)
        return " ".join(f"{self.text} {told}".replace("▌", " ").replace("│", " ").split())

    @property
    def messages(self):
        return [(each.role, each.text) for each in self.session.thread.messages]


@pytest.fixture
def run_chat(home, monkeypatch):
    """Run a coroutine function with the app: ``run_chat(test, engine=…, size=…, flags=…)``."""

    # Every step is handed over: a script that waits has shown all it said.
    monkeypatch.setattr("trchat.session.answering.POST_INTERVAL_S", 0.0)

    @asynccontextmanager
    async def opened(engine, size, wait, flags):
        flags = {"draft": "auto", **flags}
        app = TrchatApp(flags, prepare(flags), engine.opener)
        try:
            async with app.run_test(size=size, notifications=True) as pilot:
                chat = Chat(app, pilot, engine)
                if wait:
                    await chat.until(lambda: app.session.loaded or "no model" in app.chat.status.state)
                yield chat
        finally:
            engine.go_on.set()
            app.close_session()

    def run(test, engine=None, size=(100, 30), wait=True, **flags):
        async def go():
            async with opened(engine or ScriptedEngine(), size, wait, flags) as chat:
                await test(chat)

        asyncio.run(go())

    return run
