"""The kernel under a compiler's sanitizers: it stays in its memory, and does nothing that is undefined."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trchat.recycling.native.sources import FILE, FOLDER, sources_hash

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def library(name):
    """Where gcc has one of its libraries; it repeats the name where it has none."""
    told = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="needs gcc on Linux")
def test_the_tests_of_the_kernel_pass_under_sanitizers(tmp_path):
    preloaded = [library("libasan.so"), library("libubsan.so")]
    if not all(each.is_absolute() for each in preloaded):
        pytest.skip("gcc has no sanitizers here")
    for folder in ("trchat", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    made = tmp_path / FILE.relative_to(ROOT)
    options = ["-g", "-O1", "-std=c11", "-ffp-contract=off", "-fvisibility=hidden", "-shared", "-fPIC"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    sources = [str(file) for file in sorted(FOLDER.glob("*.c"))]
    defined = f"-DSOURCES={sources_hash()}"
    subprocess.run(["gcc", *options, *checks, defined, *sources, "-lm", "-o", str(made)], check=True)
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/recycling/test_kernel.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "LD_PRELOAD": " ".join(map(str, preloaded)),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
            "PYTHONPATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "skipped" not in tests.stdout, "the kernel was not used"
