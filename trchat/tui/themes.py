"""trchat's own colours: white paper or a dark room, text that is easy to read, orange for warnings alone."""

from textual.theme import Theme

DARK = Theme(
    name="trchat-dark",
    primary="#6cb6ff",
    secondary="#7fd1b9",
    accent="#b392f0",
    warning="#ffa657",
    error="#ff7b72",
    success="#7ee787",
    foreground="#e6e6e6",
    background="#101216",
    surface="#181b21",
    panel="#22262e",
    dark=True,
)
LIGHT = Theme(
    name="trchat-light",
    primary="#0a5cad",
    secondary="#0b6b58",
    accent="#6639ba",
    warning="#9a4b00",
    error="#b3261e",
    success="#1a7f37",
    foreground="#1b1d21",
    background="#ffffff",
    surface="#f4f6f8",
    panel="#e8ebef",
    dark=False,
)
DEFAULT = DARK.name
