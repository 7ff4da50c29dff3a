"""Compiles the drafter's kernel (trchat/recycling/native/*.c) into the package when trchat is installed.

Without a C compiler trchat is installed all the same, and drafts in Python. After a change, in a
checkout: ``python hatch_build.py`` (needs setuptools, which knows each system's compiler).
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from trchat.recycling.native.sources import FILE, FOLDER, sources_hash  # noqa: E402

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called by hand
    BuildHookInterface = object


class CompileKernel(BuildHookInterface):
    """Hatchling's hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the result packed into a wheel for this platform; or say why there is none."""
        if self.target_name != "wheel":
            return
        try:
            compile_kernel()
        except Exception as error:  # compilers fail in many ways, none of which is a reason not to install
            FILE.unlink(missing_ok=True)
            self.app.display_warning(f"trchat drafts in Python, its kernel could not be compiled: {error}")
            return
        from packaging.tags import platform_tags

        build_data["artifacts"].append(FILE.relative_to(ROOT).as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(iter(platform_tags()))}"


def compile_kernel() -> None:
    """Compile the C files into one library beside them. Raises what setuptools' compilers raise."""
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    unix = compiler.compiler_type == "unix"
    if unix:
        customize_compiler(compiler)
    options = ["-O3", "-std=c11", "-ffp-contract=off", "-fvisibility=hidden"] if unix else ["/O2", "/std:c11"]
    with tempfile.TemporaryDirectory() as folder:
        objects = compiler.compile(
            [str(file) for file in sorted(FOLDER.glob("*.c"))],
            output_dir=folder,
            macros=[("SOURCES", str(sources_hash()))],
            extra_postargs=options,
        )
        made = Path(folder) / FILE.name
        compiler.link_shared_object(objects, str(made), libraries=["m"] if unix else [])
        # Replaced as a whole: a program that has the old one loaded keeps it.
        fresh = FILE.with_suffix(".new")
        fresh.write_bytes(made.read_bytes())
        fresh.replace(FILE)


if __name__ == "__main__":
    compile_kernel()
    print(FILE)
