"""How long llama.cpp's threads spin while one waits for another, where they are OpenMP's (libgomp's).

Between two layers' computations all threads wait for the last one, some hundred times a token. Spinning is
the fastest way to wait, as long as all of them run. Beside another busy program one of them does not, for
some milliseconds at a time; libgomp, which spins for up to 20 ms by default, then burns the time that the
others could have had, and a model becomes 10 to 50 times slower, as if it hung.
"""

import platform
from collections.abc import MutableMapping

_CHOSEN_BY_USER = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")

_SPINS = 1000
_X86 = {"x86_64", "amd64", "i386", "i686", "x86"}
_FASTER = 40  # elsewhere: only on x86 libgomp spins by an instruction that takes time, 10 to 50 ns


def limit_spinning(environ: MutableMapping[str, str]) -> None:
    """Set the number of spins, before the library is loaded: it looks only then. What the user set stays."""
    if not any(name in environ for name in _CHOSEN_BY_USER):
        on_x86 = platform.machine().lower() in _X86
        environ["GOMP_SPINCOUNT"] = str(_SPINS if on_x86 else _SPINS * _FASTER)
