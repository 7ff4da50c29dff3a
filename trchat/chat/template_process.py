"""The other end of ``template_child``: a process that is started early and asked seldom."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trchat.errors import TrchatError

SECONDS = 5.0
"""What a template may take; an honest one takes a millisecond."""
TOO_MUCH = "it takes too long or too much memory"

_CHILD = Path(__file__).with_name("template_child.py")


class TemplateProcess:
    """Starts at once and in the background; ``request`` waits for it. Close it when done."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """Start it; one request may take ``seconds``. Raises TrchatError where no process can be started."""
        # -P: nothing is imported from the folder the user happens to be in.
        command = [sys.executable, "-P", str(_CHILD), str(seconds)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise TrchatError(f"cannot start the process that renders chat templates: {error}") from error

    def request(self, content: Mapping[str, object]) -> dict[str, Any]:
        """Send one request and return the answer; a process that ended instead has met its limits."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(content).encode("ascii") + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            answer = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        return answer if isinstance(answer, dict) else {"error": "failed", "message": TOO_MUCH}

    def close(self) -> None:
        """End it. May be called twice."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.kill()
        process.wait()
