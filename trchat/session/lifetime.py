"""What drafting has saved since the first day: three numbers in a file of their own."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from trchat.paths import data_dir, make_private_dir

FILE_NAME = "lifetime.json"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Tokens written and steps taken for them; ``since`` in seconds since 1970."""

    tokens: int = 0
    steps: int = 0
    since: float = 0.0

    @property
    def saved(self) -> int:
        """Steps of the model that drafts made needless."""
        return max(self.tokens - self.steps, 0)


def read_lifetime() -> Lifetime:
    """The sums so far; empty where there are none or the file is damaged."""
    try:
        content = json.loads(_file().read_text("utf-8"))
        return Lifetime(int(content["tokens"]), int(content["steps"]), float(content["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Lifetime()


def add_to_lifetime(tokens: int, steps: int) -> Lifetime:
    """Add one answer. A file that cannot be written loses the sum, nothing else."""
    old = read_lifetime()
    new = Lifetime(old.tokens + tokens, old.steps + steps, old.since or time.time())
    temporary = _file().with_suffix(f".{os.getpid()}")
    try:
        make_private_dir(data_dir())
        temporary.write_text(json.dumps(asdict(new)), "utf-8")
        temporary.replace(_file())
    except OSError:
        temporary.unlink(missing_ok=True)
    return new


def _file() -> Path:
    return data_dir() / FILE_NAME
