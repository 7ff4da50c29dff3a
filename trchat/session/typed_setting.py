"""Settings as people type them."""

import re

from trchat.config_rules import SETTINGS, Text, Value, spelled
from trchat.errors import UsageError
from trchat.text.one_line import one_line


def parse_assignment(typed: str) -> tuple[str, Value | None]:
    """The setting in ``name value`` or ``name = value``; gives and raises what ``parse_setting`` does."""
    name, text = re.fullmatch(r"\s*([^\s=]*)\s*=?(.*)", typed, re.DOTALL).groups()  # type: ignore[union-attr]
    return parse_setting(name, text)


def parse_setting(name: str, text: str) -> tuple[str, Value | None]:
    """A setting's field and value; ``default`` (and nothing) give back the configured value, None.

    Raises UsageError that says what may stand there.
    """
    field = name.strip().lower().replace("-", "_")
    rule = SETTINGS.get(field)
    if rule is None:
        raise UsageError(f"no setting is called {one_line(name)!r}; there are {', '.join(SETTINGS)}")
    text = text.strip()
    if text.lower() in ("", "default"):
        return field, None
    try:
        return field, spelled(rule, text)
    except ValueError:
        raise UsageError(f"{field} must be {rule.meaning}, not {one_line(text)!r}") from None


def split_keep(typed: str) -> tuple[str, str | None]:
    """What was typed without a ``--keep`` at its end, and for whom to keep it: ``all``, ``model`` or None.

    Raises UsageError for another word behind it.
    """
    found = re.search(r"(?:^|\s)--keep(?:[ =](\S+))?\s*$", typed)
    if found is None:
        return typed, None
    scope = found[1] or "all"
    if scope not in ("all", "model"):
        raise UsageError(f"--keep is for all models, --keep model for this one; not {one_line(scope)!r}")
    return typed[: found.start()].rstrip(), scope


def typed_here(advice: str) -> str:
    """Advice that names flags, with what is typed in a chat instead: the program runs already."""
    advice = re.sub(r"(?<!\S)(?:--ctx|-c)(?!\S)", "/set ctx", advice)
    advice = re.sub(r"(?<!\S)(?:--max-tokens|-n)(?!\S)", "/set max_tokens", advice)
    return advice.replace("--cache-type", "/set cache_type").replace("(-m)", "(/model)")


def may_be(field: str) -> str:
    """What may be typed for a setting."""
    rule = SETTINGS[field]
    return "any text" if isinstance(rule, Text) else rule.meaning
