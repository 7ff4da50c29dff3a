"""Copying with the system's own clipboard program."""

import shutil
import subprocess
import sys
from os import environ

PROGRAMS: tuple[tuple[str, ...], ...] = (
    ("pbcopy",),
    ("wl-copy",),
    ("xclip", "-selection", "clipboard"),
    ("xsel", "--clipboard", "--input"),
    ("clip.exe",),
)
_NEEDS = {"wl-copy": "WAYLAND_DISPLAY", "xclip": "DISPLAY", "xsel": "DISPLAY"}


def copy_natively(text: str) -> str | None:
    """Copy with the first clipboard program that works; its name, or None when there is none."""
    for command in PROGRAMS:
        needed = _NEEDS.get(command[0])
        if (needed and not environ.get(needed)) or not shutil.which(command[0]):
            continue
        # Windows' clip reads UTF-16; all others UTF-8.
        encoding = "utf-16" if command[0] == "clip.exe" or sys.platform == "win32" else "utf-8"
        try:
            subprocess.run(
                command,
                input=text.encode(encoding, "replace"),
                check=True,
                timeout=3,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return command[0]
    return None
