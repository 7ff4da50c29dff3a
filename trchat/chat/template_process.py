"""The other end of ``template_child``: a process that is started early and asked seldom."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trchat.errors import TrchatError

SECONDS = 5.0
"""What a template may take of the processor; an honest one takes a millisecond."""
TOO_MUCH = "it takes too long or too much memory"

_PATIENCE = 6
"""Times that, by the clock, until a process is given up: also for starting, and for a busy machine."""

_CHILD = Path(__file__).with_name("template_child.py")


class TemplateProcess:
    """Starts at once and in the background; ``request`` waits for it. Close it when done."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """Start it; one request may take ``seconds``. Raises TrchatError where no process can be started."""
        self._seconds = seconds
        self._closed = False
        self._compiled: Mapping[str, object] | None = None
        self._process = self._start()

    def request(self, content: Mapping[str, object]) -> dict[str, Any]:
        """Send one request and return the answer.

        A process that ended or stands still instead has met its limits, or somebody ended it: the next
        request goes to a new one, which knows the same template.
        """
        if self._process.poll() is not None and not self._closed:
            self._end()
            self._process = self._start()
            if self._compiled is not None and "source" not in content:
                self._asked(self._compiled)
        answer = self._asked(content)
        if "source" in content:
            self._compiled = content if answer is not None and "ok" in answer else None
        return answer if answer is not None else {"error": "failed", "message": TOO_MUCH}

    def _asked(self, content: Mapping[str, object]) -> dict[str, Any] | None:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        # Its own watchdog is faster; this one also ends a process that was stopped, or lost its watchdog.
        watchdog = threading.Timer(_PATIENCE * self._seconds, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            process.stdin.write(json.dumps(content).encode("ascii") + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            answer = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        finally:
            watchdog.cancel()
        if not isinstance(answer, dict):
            process.kill()
            process.wait()
            return None
        return answer

    def _start(self) -> "subprocess.Popen[bytes]":
        # -P: nothing is imported from the folder the user happens to be in.
        command = [sys.executable, "-P", str(_CHILD), str(self._seconds)]
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        except OSError as error:
            raise TrchatError(f"cannot start the process that renders chat templates: {error}") from error

    def close(self) -> None:
        """End it for good. May be called twice."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.kill()
        process.wait()
