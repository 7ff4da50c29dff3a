import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.cli.conftest import here  # noqa: F401
from tests.tiny_gguf import make


class Server:
    """A server in a process of its own, on a port that was free."""

    def __init__(self, model, home, *args, env=None):
        command = [sys.executable, "-m", "trchat", "serve", "-m", str(model), "--port", "0", "--threads", "1"]
        environment = {**os.environ, "TRCHAT_HOME": str(home), **(env or {})}
        self.home = home
        self.process = subprocess.Popen([*command, *args], stderr=subprocess.PIPE, text=True, env=environment)
        self.lines = []
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._ready.wait(60), self.lines
        address = re.search(r"http://\S+", "\n".join(self.lines))
        assert address, self.lines
        self.url = address.group()
        self.client = httpx.Client(base_url=self.url.removesuffix("/v1"), timeout=60)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if "answers at" in line:
                self._ready.set()
        self._ready.set()

    def chat(self, content="Hi", **more):
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 8, "temperature": 0, **more}
        return self.client.post("/v1/chat/completions", json=body)

    @contextmanager
    def streaming(self, content="Hi", path="/v1/chat/completions", **more):
        asked = (
            {"messages": [{"role": "user", "content": content}]} if "chat" in path else {"prompt": content}
        )
        body = {"max_tokens": 8, "temperature": 0, "stream": True, **asked, **more}
        with self.client.stream("POST", path, json=body) as response:
            yield response

    def streamed(self, *args, **more):
        """The chunks of an answer, whose stream must end as it should."""
        with self.streaming(*args, **more) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            return chunks(response.iter_lines())

    def health(self):
        return self.client.get("/health").json()

    def until(self, condition, seconds=30):
        """Wait until the health page fulfils ``condition``."""
        end = time.monotonic() + seconds
        while not condition(page := self.health()):
            assert time.monotonic() < end, page
            time.sleep(0.02)
        return page

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def chunks(lines):
    lines = [line for line in lines if line and not line.startswith(":")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def text_of(found):
    return "".join(
        choice["delta"].get("content", "") if "delta" in choice else choice["text"]
        for chunk in found
        for choice in chunk["choices"]
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A tiny chat model of 2048 tokens; it answers at once, and nothing of sense."""
    return make(tmp_path_factory.mktemp("served") / "tiny-chat.gguf")


@pytest.fixture(scope="session")
def _served(tiny, tmp_path_factory):
    home = tmp_path_factory.mktemp("home-of-the-server")
    (home / "models").mkdir()
    make(home / "models" / "other.gguf", seed=1)
    server = Server(tiny, home)
    yield server
    server.end()


@pytest.fixture
def server(_served):
    """One server for all tests that leave it as it is; no other model has been loaded when a test begins."""
    _served.until(lambda page: page["answering"] is None and not page["waiting"])
    return _served


@pytest.fixture
def serve(tiny, tmp_path):
    """Start a server with flags of its own."""
    begun = []

    def start(*args, model=tiny, env=None):
        begun.append(Server(model, tmp_path / "home", *args, env=env))
        return begun[-1]

    yield start
    for each in begun:
        each.end()
