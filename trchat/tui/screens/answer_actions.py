"""Asking, stopping, asking again: what the user does with questions and answers."""

from functools import partial

from textual import on, work

from trchat.errors import TrchatError, UsageError
from trchat.session.attachments import Attachment, read_attachment, with_attachments
from trchat.session.clipboard import copy_natively
from trchat.session.commands import parse_command, unescaped
from trchat.text.code_block import code_blocks
from trchat.tui.screens.base import ChatBase
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.prompt import Prompt


class AnswerActions(ChatBase):
    """Actions on messages."""

    _attached: tuple[Attachment, ...] = ()
    _editing: int | None = None

    @on(Prompt.Sent)
    async def _sent(self, event: Prompt.Sent) -> None:
        """Run a command, or ask."""
        text = event.text
        try:
            parsed = None if self._editing else parse_command(text)
            if parsed is not None:
                await self.run_command(parsed[0].name, parsed[1])
            elif self._editing is not None:
                async with self.drawing:
                    self.session.edit(self._editing, text)
                    self._editing = None
                    self._asked()
                    await self.show_thread()
            else:
                if not text.strip():
                    return
                async with self.drawing:
                    self.session.ask(with_attachments(unescaped(text), list(self._attached)))
                    self._attached = ()
                    self._asked()
                    await self._show_asked()
        except TrchatError as error:
            self.tell(str(error), "warning")
            self.prompt.give_back(text)

    async def run_command(self, name: str, argument: str) -> None:
        """Run a slash command by name."""
        raise NotImplementedError

    def _asked(self) -> None:
        self.show_hint("")
        self.panel.begin()
        self.status.set_state("waiting for the model" if self.bar.display else "thinking")

    async def _show_asked(self) -> None:
        thread = self.session.thread
        shown = {view.message.id for view in self.transcript.query(MessageView)}
        new = [message for message in thread.messages[-3:] if message.id not in shown]
        self.transcript.writing = self.session.writing
        await self.transcript.add(*new)
        self.prompt.recall_from([each.text for each in thread.messages if each.role == "user"])
        self.show_heading()
        self._lens_on_last()

    def action_stop(self) -> None:
        """Stop the answer; else leave the editing; else come back to the prompt."""
        if self.session.busy:
            self.session.stop()
        elif self._editing is not None:
            self._editing = None
            self.prompt.put("")
            self.show_hint("")
        self.prompt.focus()

    def action_interrupt(self) -> None:
        """Ctrl+c: stop while something is written, else copy what is selected."""
        if self.session.busy:
            self.session.stop()
            return
        selected = self.get_selected_text() or self.prompt.selected_text
        if selected:
            self._copy(selected, "the selection")
        else:
            leaving = [key for key, each in self.active_bindings.items() if each.binding.id == "quit"]
            self.tell(f"{' or '.join(leaving) or '/quit'} leaves")

    async def action_regenerate(self) -> None:
        """Answer the focused (or last) question again."""
        message = self.focused_message()
        async with self.drawing:
            if self.attempt(lambda: self.session.regenerate(message.id if message else None)):
                self._asked()
                await self.show_thread()

    def action_edit(self) -> None:
        """Put a question back into the prompt, to ask it in other words."""

        def begin() -> None:
            message = self.focused_message() or self.session.thread.last_question()
            if message.role == "assistant":
                message = self.session.thread.question_of(message)
            if message.role != "user":
                raise UsageError("/system changes the system prompt")
            self._editing = message.id
            self.prompt.put(message.text)
            self.prompt.focus()
            self.show_hint("editing: enter asks on a new branch, esc leaves it as it was")

        self.attempt(begin)

    def action_proceed(self) -> None:
        """Go on with an answer that was cut."""
        message = self.focused_message()
        if self.attempt(lambda: self.session.proceed(message.id if message else None)):
            view = self.transcript.answer_view(self.session.writing or 0)
            if view:
                view.go_on()
            self.transcript.keep_room(0)
            self._asked()

    def action_compare(self) -> None:
        """Answer again without drafts, and show both speeds."""
        message = self.focused_message()
        if self.attempt(lambda: self.session.compare(message.id if message else None)):
            self.status.set_state("A/B: plain decoding")

    async def action_branch(self, by: int) -> None:
        """Show another branch of the focused message, or of the last one that has any."""
        thread = self.session.thread
        message = self.focused_message() or next(
            (each for each in reversed(thread.messages) if thread.siblings(each)[1] > 1), None
        )
        if self.session.busy:
            self.tell("an answer is being written; stop it first", "warning")
        elif message is None or thread.siblings(message)[1] < 2:
            self.tell("there is one branch only; regenerating or editing makes another")
        elif thread.switch(message, by):
            await self.show_thread()
        else:
            self.tell("this is the last branch on that side")

    def action_message(self, by: int) -> None:
        """Move the focus over the messages; below the last one is the prompt."""
        views = list(self.transcript.query(MessageView))
        place = views.index(self.focused) if isinstance(self.focused, MessageView) else len(views)
        if place + by >= len(views):
            self.prompt.focus()
        elif views:
            views[max(place + by, 0)].focus()

    def action_copy(self, code: int | None = None) -> None:
        """Copy the focused (or last) answer, or one of its code blocks, from 1; 0 is the last one."""

        def copy() -> None:
            message = self.focused_message() or self.session.thread.get(None)
            if code is None:
                self._copy(message.text, "the message")
                return
            blocks = code_blocks(message.text)
            if not blocks:
                raise UsageError("there is no code block in it")
            if code > len(blocks):
                raise UsageError(f"there are only {len(blocks)} code blocks")
            number = code or len(blocks)
            self._copy(blocks[number - 1].removesuffix("\n"), f"code block {number} of {len(blocks)}")

        self.attempt(copy)

    def copy_numbered(self, number: str) -> None:
        """Copy the answer, or its code block ``number``."""
        if number and not number.isdigit():
            self.tell("/copy takes the number of a code block", "warning")
        else:
            self.action_copy(int(number) if number else None)

    @work(thread=True, group="copy")
    def _copy(self, text: str, what: str) -> None:
        program = copy_natively(text)
        if program is None:
            self.app.call_from_thread(self.app.copy_to_clipboard, text)
            program = "the terminal (OSC 52)"
        self.app.call_from_thread(self.tell, f"copied {what} with {program}")

    def attach(self, name: str) -> None:
        """Send a file along with the next question."""

        def read() -> None:
            self._attached = (*self._attached, read_attachment(name))
            self.show_hint(
                "attached: " + ", ".join(each.name for each in self._attached) + " · /detach removes"
            )

        self.attempt(read)

    def detach(self) -> None:
        """Take the attached files off again."""
        self._attached = ()
        self.show_hint("")

    @on(MessageView.Wanted)
    async def _wanted(self, event: MessageView.Wanted) -> None:
        match event.what:
            case "copy":
                self.action_copy()
            case "copy-code":
                self.action_copy(0)
            case "regenerate":
                await self.action_regenerate()
            case "edit":
                self.action_edit()
            case "previous-branch":
                await self.action_branch(-1)
            case "next-branch":
                await self.action_branch(1)

    @on(Prompt.Hinted)
    def _hinted(self, event: Prompt.Hinted) -> None:
        if event.candidates:
            self.show_hint("tab: " + "  ".join(each.removeprefix("/attach ") for each in event.candidates))
        elif self.hint.display and str(self.hint.visual).startswith("tab: "):
            self.show_hint("")

    @on(Prompt.Paged)
    def _paged(self, event: Prompt.Paged) -> None:
        if event.direction < 0:
            self.transcript.scroll_page_up(animate=False)
        else:
            self.transcript.scroll_page_down(animate=False)

    def action_lens(self) -> None:
        """Open or close the draft lens."""
        self.lens_on = not self.lens_on
        if self.lens_on:
            self.session.host.lens.set()
        else:
            self.session.host.lens.clear()
        self.panel.display = self.lens_on
        self._lens_on_last()

    def colour_lens(self) -> None:
        """Colour guessed tokens by who guessed them, or no longer."""
        self.lens_colours = not self.lens_colours
        if self.lens_on:
            self._lens_on_last()
        else:
            self.action_lens()

    def _lens_on_last(self) -> None:
        variables = self.app.theme_variables
        colour = partial(self.colours.hex, variables=variables) if self.lens_colours else None
        answers = self.transcript.answers()
        for view in answers:
            view.set_lens(self.lens_on and view is answers[-1], colour)
        self.panel.set_colours(self.colours if self.lens_colours else None)
