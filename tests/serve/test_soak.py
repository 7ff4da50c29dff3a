"""Many clients at once, some of which leave: every stream is well-formed, and nothing is left behind.

``python -m tests.serve.test_soak MODEL [REQUESTS]`` does more of it, and prints what the processes hold.
"""

import random
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.serve.conftest import Server, chunks

CLIENTS = 8
LEAVING = 10
"""Every so manieth leaves in the middle of its answer."""


class Client(threading.Thread):
    """Asks again and again, as long as there is work."""

    def __init__(self, server, work, trouble):
        super().__init__()
        self._server, self._work, self._trouble = server, work, trouble
        self.ended = self.left = 0

    def run(self):
        try:
            with httpx.Client(base_url=self._server.client.base_url, timeout=120) as client:
                while (number := self._work.next()) is not None:
                    self._ask(client, number)
        except Exception as trouble:
            self._trouble.append(repr(trouble))

    def _ask(self, client, number):
        chosen = random.Random(number)
        body = {
            "messages": [{"role": "user", "content": f"Question {chosen.randrange(20)}, {chosen.random()}"}],
            "max_tokens": 1000 if number % LEAVING == 0 else chosen.randrange(1, 24),
            "temperature": chosen.choice([0, 1]),
            "stream": chosen.random() < 0.8 or number % LEAVING == 0,
            "stream_options": {"include_usage": True},
        }
        if not body["stream"]:
            answer = client.post("/v1/chat/completions", json={**body, "stream_options": None})
            assert answer.status_code == 200, answer.text
            assert answer.json()["choices"][0]["finish_reason"] in ("stop", "length")
            self.ended += 1
            return
        with client.stream("POST", "/v1/chat/completions", json=body) as response:
            assert response.status_code == 200
            if number % LEAVING == 0:
                for _ in zip(range(4), response.iter_lines(), strict=False):
                    pass
                self.left += 1
                return
            found = chunks(response.iter_lines())
        assert found[0]["choices"][0]["delta"]["role"] == "assistant"
        finishes = [choice["finish_reason"] for chunk in found for choice in chunk["choices"]]
        assert finishes[-1] in ("stop", "length") and not any(finishes[:-1])
        assert found[-1]["usage"]["completion_tokens"] <= body["max_tokens"]
        self.ended += 1


class Work:
    """Numbers, handed out to whoever comes."""

    def __init__(self, count, told=lambda done: None):
        self._numbers = iter(range(1, count + 1))
        self._lock = threading.Lock()
        self._told = told

    def next(self):
        with self._lock:
            number = next(self._numbers, None)
            if number is not None:
                self._told(number)
            return number


def soak(server, count, told=lambda done: None):
    """Have ``count`` requests made; how many were answered to the end, and how many left."""
    work, trouble = Work(count, told), []
    clients = [Client(server, work, trouble) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert not trouble, trouble[:3]
    server.until(lambda page: page["answering"] is None and not page["waiting"])
    return sum(each.ended for each in clients), sum(each.left for each in clients)


def held(process_id):
    """Resident memory of a process in MB, and its open files; only Linux tells."""
    folder = Path("/proc") / str(process_id)
    pages = int((folder / "statm").read_text().split()[1])
    return pages * 4096 / 1e6, len(list((folder / "fd").iterdir()))


def children(process_id):
    """The processes that a process has begun, and theirs."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == process_id:
            found += [int(folder.name), *children(int(folder.name))]
    return found


@pytest.mark.slow
def test_many_clients_of_which_some_leave(serve):
    server = serve()
    linux = Path("/proc/self/statm").exists()
    soak(server, 16)  # what is opened once is open by now
    before = [held(each)[1] for each in [server.process.pid]] if linux else []
    assert soak(server, 40) == (36, 4)
    if linux:
        kept = {held(server.process.pid)[1] for _ in range(3)}
        # One connection may still be closing.
        assert min(kept) <= before[0] + 2
    assert server.end() == 0


def main(model, count):
    """Soak a server with a model for longer, and tell what it holds meanwhile."""
    import tempfile

    server = Server(Path(model), tempfile.mkdtemp())
    told_at = {1, count // 5, 3 * count // 5, count}

    def tell(done):
        if done in told_at:
            pids = [server.process.pid, *children(server.process.pid)]
            holding = (f"{memory:.0f} MB, {files} files" for memory, files in map(held, pids))
            print(f"{done:4} requests: {' | '.join(holding)}", flush=True)

    start = time.monotonic()
    print(soak(server, count, tell), f"{time.monotonic() - start:.0f} s")
    tell(count)
    print("exit", server.end())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500)
