"""Slash commands in the line mode."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from trchat.catalog.listing import list_models
from trchat.config_file import change_config, load_config
from trchat.config_rules import SETTINGS
from trchat.errors import TrchatError, UsageError
from trchat.paths import user_path
from trchat.plain.output import notice, write
from trchat.session.attachments import read_attachment
from trchat.session.clipboard import copy_natively
from trchat.session.commands import COMMANDS, branch_step
from trchat.session.news import Compared, Ready
from trchat.session.save import save_markdown
from trchat.session.typed_setting import parse_assignment, parse_setting
from trchat.storage.export import heading
from trchat.text.code_block import numbered_code_block
from trchat.text.number import whole_number
from trchat.text.one_line import one_line

if TYPE_CHECKING:
    from trchat.plain.chat import PlainChat


class LeaveError(TrchatError):
    """The user wants to leave."""


ONLY_ON_SCREEN = ("theme", "stop")


def carry_out(chat: "PlainChat", name: str, argument: str) -> None:
    """Run one command. Raises TrchatError when it is refused, LeaveError to leave."""
    if name in ONLY_ON_SCREEN:
        raise UsageError(
            "ctrl+c stops an answer" if name == "stop" else f"/{name} is for the full-screen chat"
        )
    HANDLERS[name](chat, argument)


def _help(chat: "PlainChat", _argument: str) -> None:
    for command in COMMANDS:
        if command.name not in ONLY_ON_SCREEN:
            write(f"/{command.name} {command.argument}".rstrip() + f": {command.help}\n")


def _quit(chat: "PlainChat", _argument: str) -> None:
    raise LeaveError("leaving")


def _new(chat: "PlainChat", _argument: str) -> None:
    chat.session.new()
    notice("a new conversation begins")


def _conversations(chat: "PlainChat", argument: str) -> None:
    store = chat.session.thread.store
    number = whole_number(argument)
    if number is not None:
        chat.session.open(number)
        chat.show_latest()
        return
    if argument:
        hits = store.search(argument)
        lines = [f"{hit.conversation_id}: {hit.title}: {hit.snippet}" for hit in hits]
    else:
        listed = store.conversations(limit=20)
        lines = [f"{each.id}: {heading(each)}, {each.messages} messages" for each in listed]
    if not lines:
        raise UsageError("no conversation has these words" if argument else "there is no conversation yet")
    for line in lines:
        write(f"{line}\n")
    notice("/conversations NUMBER opens one")


def _current(chat: "PlainChat") -> int:
    if chat.session.thread.conversation is None:
        raise UsageError("there is no conversation yet")
    return chat.session.thread.conversation.id


def _rename(chat: "PlainChat", argument: str) -> None:
    chat.session.thread.store.rename(_current(chat), argument)
    chat.session.thread.reload()
    notice(f"the title is {one_line(argument)}")


def _delete(chat: "PlainChat", _argument: str) -> None:
    number = _current(chat)
    chat.session.thread.store.delete(number)
    chat.deleted.append(number)
    chat.session.new()
    notice("deleted; /undo brings it back")


def _undo(chat: "PlainChat", _argument: str) -> None:
    if not chat.deleted:
        raise UsageError("nothing was deleted")
    number = chat.deleted.pop()
    chat.session.thread.store.restore(number)
    notice(f"brought back; /conversations {number} opens it")


def _save(chat: "PlainChat", argument: str) -> None:
    path = user_path(argument) if argument else None
    notice(f"saved as {save_markdown(chat.session.thread.store, _current(chat), path)}")


def _copy(chat: "PlainChat", argument: str) -> None:
    text = chat.session.thread.get(None).text
    program = copy_natively(numbered_code_block(text, argument) if argument else text)
    if program is None:
        raise UsageError("there is no clipboard program here; /save writes a file")
    notice(f"copied with {program}")


def _regenerate(chat: "PlainChat", _argument: str) -> None:
    chat.session.regenerate()
    chat.follow()


def _retry(chat: "PlainChat", _argument: str) -> None:
    begins = chat.session.retry()
    notice("loading the model")
    if chat.wait_for(Ready) and begins is not None:
        chat.follow()


def _edit(chat: "PlainChat", argument: str) -> None:
    if not argument:
        raise UsageError("write the question anew: /edit TEXT")
    chat.session.edit(chat.session.thread.last_question().id, argument)
    chat.follow()


def _continue(chat: "PlainChat", _argument: str) -> None:
    chat.session.proceed()
    chat.follow()


def _branch(chat: "PlainChat", argument: str) -> None:
    by = branch_step(argument)
    thread = chat.session.thread
    branched = thread.last_branched()
    if branched is None:
        raise UsageError("there is one branch only; /regen or /edit makes another")
    if not thread.switch(branched, by):
        raise UsageError("this is the last branch on that side")
    chat.show_latest()


def _attach(chat: "PlainChat", argument: str) -> None:
    attachment = read_attachment(argument)
    chat.attached.append(attachment)
    notice(f"{attachment.name} goes along with the next question")


def _detach(chat: "PlainChat", _argument: str) -> None:
    chat.attached.clear()
    notice("nothing goes along with the next question")


def _change(chat: "PlainChat", **values: str | int | float | None) -> bool:
    """False when the model could not be loaded with them, which has been said then."""
    if chat.session.change(**values):
        chat.warn()
        notice("loading the model")
        return chat.wait_for(Ready)
    return True


def _model(chat: "PlainChat", argument: str) -> None:
    if argument:
        if _change(chat, model=argument):
            notice(f"the model is {chat.session.prepared.model.name}")
        return
    for model in list_models()[0]:
        write(f"{model.name}\n")
    notice("/model NAME chooses one")


def _system(chat: "PlainChat", argument: str) -> None:
    _change(chat, system=argument)
    notice("the system prompt is set" if argument else "there is no system prompt now")


def _persona(chat: "PlainChat", argument: str) -> None:
    personas = {name: str(placed.value) for name, placed in load_config().personas.items()}
    if argument in personas:
        _system(chat, personas[argument])
    elif argument:
        raise UsageError(f"there is no persona {argument!r}; known are {', '.join(personas) or 'none'}")
    elif not personas:
        raise UsageError("there is no persona yet: /system TEXT, then /persona-save NAME")
    for name, text in personas.items() if not argument else ():
        write(f"{name}: {text}\n")


def _save_persona(chat: "PlainChat", argument: str) -> None:
    if not chat.session.system:
        raise UsageError("there is no system prompt to save: /system TEXT sets one")
    change_config(("personas", argument), chat.session.system)
    notice(f"saved; /persona {argument} uses it")


def _set(chat: "PlainChat", argument: str) -> None:
    field, value = parse_assignment(argument)
    if _change(chat, **{field: value}):
        notice(f"{field} is {_in_force(chat, field)}")


def _think(chat: "PlainChat", argument: str) -> None:
    if not argument:
        steps = ", ".join(chat.session.thinking.steps)
        notice(f"{chat.session.about_thinking()}; this model has: {steps}")
    elif _change(chat, think=parse_setting("think", argument.lower())[1]):
        notice(chat.session.about_thinking())


def _settings(chat: "PlainChat", _argument: str) -> None:
    for name in SETTINGS:
        write(f"{name}: {_in_force(chat, name)}\n")
    notice("/set NAME VALUE changes one")


def _in_force(chat: "PlainChat", name: str) -> object:
    """A setting's value, in words where nothing is set."""
    if name == "model":
        return chat.session.prepared.model.name
    value = chat.session.n_ctx if name == "ctx" else getattr(chat.session.settings, name)
    return "not set" if value is None else value


def _lens(chat: "PlainChat", _argument: str) -> None:
    chat.lens = not chat.lens
    notice("every answer is followed by what was guessed" if chat.lens else "the guesses are not shown")


def _compare(chat: "PlainChat", _argument: str) -> None:
    chat.session.compare()
    notice("answering again without drafts")
    chat.wait_for(Compared)


HANDLERS: dict[str, Callable[["PlainChat", str], None]] = {
    "help": _help,
    "new": _new,
    "conversations": _conversations,
    "rename": _rename,
    "delete": _delete,
    "undo": _undo,
    "save": _save,
    "copy": _copy,
    "regen": _regenerate,
    "retry": _retry,
    "edit": _edit,
    "continue": _continue,
    "branch": _branch,
    "attach": _attach,
    "detach": _detach,
    "model": _model,
    "system": _system,
    "persona": _persona,
    "persona-save": _save_persona,
    "think": _think,
    "draft": lambda chat, mode: _set(chat, f"draft {mode}"),
    "set": _set,
    "settings": _settings,
    "lens": _lens,
    "compare": _compare,
    "quit": _quit,
}
