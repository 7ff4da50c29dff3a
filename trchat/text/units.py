"""Bytes, counts and times the way people read them."""

from datetime import datetime

_STEP = 1000


def byte_size(count: int) -> str:
    """``count`` bytes in decimal units with two or three digits: ``98 MB``, ``4.7 GB``."""
    return _scaled(count, (" B", " kB", " MB", " GB", " TB"))


def parameter_count(count: int) -> str:
    """A number of parameters as model names say it: ``135M``, ``7.2B``."""
    return _scaled(count, ("", "K", "M", "B", "T"))


def date_and_time(seconds: float) -> str:
    """A time in seconds since 1970, on this machine's clock: ``2026-11-24 20:54``."""
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"


def _scaled(count: int, units: tuple[str, ...]) -> str:
    value, power = float(count), 0
    # 999.5 would be shown as 1000: it belongs to the next unit already.
    while value >= _STEP - 0.5 and power < len(units) - 1:
        value /= _STEP
        power += 1
    digits = 1 if power and value < 9.95 else 0
    return f"{value:.{digits}f}{units[power]}"
