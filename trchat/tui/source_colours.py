"""Each source of guesses has a colour of its own, the same in the text and in the lens' panel."""

from collections.abc import Mapping

NAMES = (
    *("text-success", "text-accent", "text-primary", "text-error", "text-secondary", "text-warning"),
    *("foreground", "primary-lighten-3"),
)
"""Variables of Textual's themes; given out in the order in which sources appear."""


class SourceColours:
    """Remembers who got which colour, over all answers."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, source: str) -> str:
        """The theme variable of a source's colour."""
        return self._names.setdefault(source, NAMES[len(self._names) % len(NAMES)])

    def hex(self, source: str, variables: Mapping[str, str]) -> str | None:
        """The colour itself in the theme with these variables; None where it is not a plain colour."""
        value = variables.get(self.name(source), "")
        return value[:7] if value.startswith("#") else None
