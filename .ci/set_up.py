"""Makes the folder .venv with trchat (editable), its tests and its checks: ``python .ci/set_up.py``.

Works alike on Linux, macOS and Windows, needs Python 3.11 or later and a C++ compiler, and may be run again.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv"


def main() -> int:
    """Make the environment and say what to do with it; the exit code is pip's."""
    programs = FOLDER / ("Scripts" if sys.platform == "win32" else "bin")
    venv.create(FOLDER, with_pip=True)
    pip = [str(programs / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    code = subprocess.run([*pip, "-e", ".[dev]"], cwd=ROOT, check=False).returncode
    if code == 0:
        shown = programs.relative_to(ROOT)
        print(f"\nready: {shown / 'trchat'}, {shown / 'pytest'}, {shown / 'ruff'}, {shown / 'mypy'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
