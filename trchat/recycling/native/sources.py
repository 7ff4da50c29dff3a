"""What the kernel is compiled from, and into which file."""

import sys
from functools import cache
from hashlib import blake2b
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

FILE = FOLDER / ("_kernel" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so"))
"""Compiled when trchat is installed (see hatch_build.py)."""


@cache
def sources_hash() -> int:
    """Tells the C files of this version from any others; 63 bits."""
    files = sorted([*FOLDER.glob("*.c"), *FOLDER.glob("*.h")])
    text = b"".join(file.read_bytes().replace(b"\r\n", b"\n") for file in files)
    return int.from_bytes(blake2b(text, digest_size=8).digest()) >> 1
