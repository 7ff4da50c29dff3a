"""The slash commands in the command palette."""

from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from trchat.session.commands import COMMANDS, Command

if TYPE_CHECKING:
    from trchat.tui.screens.chat import ChatScreen


class SlashCommands(Provider):
    """Runs a command, or writes it into the prompt where an argument is needed."""

    async def discover(self) -> Hits:
        """All commands."""
        for command in COMMANDS:
            yield DiscoveryHit(f"/{command.name}", partial(self._run, command), help=command.help)

    async def search(self, query: str) -> Hits:
        """Commands whose name or help has the letters."""
        matcher = self.matcher(query)
        for command in COMMANDS:
            score = max(matcher.match(f"/{command.name}"), matcher.match(command.help) * 0.9)
            if score > 0:
                yield Hit(score, f"/{command.name}", partial(self._run, command), help=command.help)

    async def _run(self, command: Command) -> None:
        chat: ChatScreen = self.app.chat  # type: ignore[attr-defined]
        if command.needs:
            chat.prompt.put(f"/{command.name} ")
            chat.prompt.focus()
        else:
            await chat.run_command(command.name, "")
