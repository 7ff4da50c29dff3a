"""Records that go between memory and the store."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trchat.storage.recycled.hit_rates import Vector
from trchat.storage.recycled.rows import Rows

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model a store belongs to.

    Attributes:
        name, architecture, parameters: what the model calls itself, its kind, how many weights it has.
        vocabulary: how many tokens there are.
        quantisation: for people; it has no part in what is compared.
        tokenizer: hash of vocabulary and merges.
        weights: hash of metadata and samples of the weights.
    """

    name: str
    architecture: str
    parameters: int
    vocabulary: int
    quantisation: str
    tokenizer: str
    weights: str

    @property
    def family(self) -> str:
        """The same for all quantisations of one model: these share candidates."""
        parts = repr((self.tokenizer, self.name, self.architecture, self.parameters))
        return hashlib.blake2b(parts.encode(), digest_size=8).hexdigest()

    @property
    def file_name(self) -> str:
        """Name of the store's file."""
        title = _NOT_IN_NAMES.sub("-", self.name).strip("-.")[:40] or "model"
        return f"{title}-{self.family}-{self.weights[:16]}.db"


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over answers."""

    answers: int = 0
    tokens: int = 0
    steps: int = 0
    drafted: int = 0
    accepted: int = 0

    @property
    def came_free(self) -> int:
        """Tokens that took no step of the model of their own: what drafting saved."""
        return max(self.tokens - self.steps, 0)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.answers + other.answers,
            self.tokens + other.tokens,
            self.steps + other.steps,
            self.drafted + other.drafted,
            self.accepted + other.accepted,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What is new since the last save.

    Attributes:
        seen: the newest generation that memory holds; later ones are other processes'.
        rows: by source, sorted by place; their stamps are left to the store.
        clocks: by source, the clock in memory up to which rows had been saved before this.
        before, after: the calibration as of the last save and now; None leaves it alone.
        setting, costs: step costs, and what they hold for; None leaves them alone.
        totals: counts to add, by draft mode.
    """

    seen: int
    rows: Mapping[str, Rows] = field(default_factory=dict)
    clocks: Mapping[str, int] = field(default_factory=dict)
    before: Vector | None = None
    after: Vector | None = None
    setting: str = ""
    costs: str | None = None
    totals: Mapping[str, Totals] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save found: its generation, rows that others saved meanwhile, and the joint calibration."""

    change: Change
    generation: int
    foreign: Mapping[str, Rows]
    calibration: Vector | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a store holds.

    Attributes:
        generation: the newest one.
        rows: by source.
        calibration: None where there is none.
        was_reset: whether everything before was to be forgotten.
        totals: counts since the first day, by draft mode.
    """

    generation: int
    rows: Mapping[str, Rows]
    calibration: Vector | None
    was_reset: bool = False
    totals: Mapping[str, Totals] = field(default_factory=dict)
