"""Makes this folder's pictures from real conversations: ``python assets/make_screenshots.py MODEL [NAME …]``.

Those that are kept were made with Qwen2.5-Coder-1.5B-Instruct (Q4_K_M). The app itself draws them, as SVG, so
wide that they can be read at the width at which a code host shows them; the font (Fira Code, cut to what is
needed) goes into the file, so that they look the same everywhere. Nothing of the user's own is read or
written: each conversation has a temporary folder of its own, and so begins knowing nothing.
"""

import asyncio
import os
import re
import sys
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from trchat.startup import prepare
from trchat.tui.app import TrchatApp

FOLDER = Path(__file__).parent
FLAGS = {"temp": 0.0, "max_tokens": 400}
PRIMES = "Write a Python function that returns all primes below n. Code only."
TYPED = "Add type hints and a docstring. Code only."
AGAIN = "Write all of it again, with n called limit. Code only."
COLOURED = "/lens colour"
TELLING_TOKENS = 60
SIZE = (88, 34)


@dataclass(frozen=True)
class Picture:
    """What is asked (or commanded), and the keys pressed ``after`` the last answer."""

    name: str
    questions: tuple[str, ...]
    theme: str = "trchat-dark"
    after: tuple[str, ...] = ()
    live: bool = False
    """Taken while the last answer is written, when a draft was accepted in part."""
    size: tuple[int, int] = SIZE


PICTURES = (
    Picture("chat-dark", (PRIMES, TYPED)),
    Picture("chat-light", (PRIMES, TYPED), theme="trchat-light"),
    Picture("draft-lens", (COLOURED, PRIMES, TYPED, AGAIN), live=True, size=(100, 36)),
    Picture("compare", (PRIMES, TYPED), after=("ctrl+t",)),
)


async def draw(model: str, picture: Picture) -> None:
    """Hold the conversation and keep the picture of its end."""
    flags = {**FLAGS, "model": model, "theme": picture.theme}
    app = TrchatApp(flags, prepare(flags))
    try:
        async with app.run_test(size=picture.size) as pilot:
            for question in picture.questions:
                app.chat.prompt.put(question)
                await pilot.press("enter")
                live = picture.live and question == picture.questions[-1]
                await (telling if live else settled)(app, pilot)
            if picture.after:
                await pilot.press(*picture.after)
                await settled(app, pilot)
            file = FOLDER / f"{picture.name}.svg"
            file.write_text(with_font(app.export_screenshot(title="trchat")), "utf-8")
    finally:
        app.close_session()


async def settled(app: TrchatApp, pilot: Pilot[None]) -> None:
    """Wait until the engine is done and everything is on the screen."""
    await pilot.pause()
    while app.session.busy:
        await pilot.pause(0.05)
    await pilot.pause()


async def telling(app: TrchatApp, pilot: Pilot[None]) -> None:
    """Wait for a draft that tells something: late in the answer, some of it accepted and some not."""
    await pilot.pause()
    while app.session.busy:
        last = app.chat.panel.last
        if last and last.drafted and last.speed.tokens > TELLING_TOKENS:
            accepted = sum(node.accepted for node in last.drafted.nodes)
            if accepted >= 2 and len(last.drafted.nodes) > accepted:
                break
        await pilot.pause(0.02)
    await pilot.pause()


def with_font(svg: str) -> str:
    """``svg`` with the font in it, instead of the place in the net that Rich names."""
    faces = "".join(
        f'@font-face {{ font-family: "Fira Code"; font-weight: {weight}; src: url("data:font/woff2;base64,'
        f'{b64encode((FOLDER / f"FiraCode-{cut}.woff2").read_bytes()).decode()}") format("woff2"); }}\n'
        for cut, weight in (("Regular", 400), ("Bold", 700))
    )
    svg = re.sub(r"@font-face \{.*?\n    \}\n", "", svg, flags=re.DOTALL)
    return svg.replace("<style>", f"<style>\n{faces}", 1)


def main() -> None:
    """All pictures, or those that are named."""
    model, *names = sys.argv[1:]
    for picture in PICTURES:
        if not names or picture.name in names:
            with tempfile.TemporaryDirectory() as home:
                os.environ["TRCHAT_HOME"] = home
                asyncio.run(draw(model, picture))


if __name__ == "__main__":
    main()
