"""Slash commands in the line mode."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from trchat.config_file import change_config, load_config
from trchat.config_rules import SETTINGS
from trchat.errors import TrchatError, UsageError
from trchat.paths import user_path
from trchat.plain.choose import write_models
from trchat.plain.output import notice, write
from trchat.session.attachments import read_attachment
from trchat.session.clipboard import copy_natively
from trchat.session.commands import COMMANDS, branch_step
from trchat.session.explained import EXPLAINED
from trchat.session.models import models_to_choose
from trchat.session.news import Compared, Ready
from trchat.session.save import save_markdown
from trchat.session.typed_setting import parse_assignment, parse_setting, split_keep
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
            "Ctrl+C stops an answer" if name == "stop" else f"/{name} is for the full-screen chat"
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
    notice("new conversation")


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
        raise UsageError("no conversation matches" if argument else "no conversation yet")
    for line in lines:
        write(f"{line}\n")
    notice("/conversations NUMBER opens one")


def _current(chat: "PlainChat") -> int:
    if chat.session.thread.conversation is None:
        raise UsageError("no conversation yet")
    return chat.session.thread.conversation.id


def _rename(chat: "PlainChat", argument: str) -> None:
    chat.session.thread.store.rename(_current(chat), argument)
    chat.session.thread.reload()
    notice(f"renamed to {one_line(argument)}")


def _delete(chat: "PlainChat", _argument: str) -> None:
    number = _current(chat)
    chat.session.thread.store.delete(number)
    chat.deleted.append(number)
    chat.session.new()
    notice("conversation deleted; /undo restores it")


def _undo(chat: "PlainChat", _argument: str) -> None:
    if not chat.deleted:
        raise UsageError("nothing to restore")
    number = chat.deleted.pop()
    chat.session.thread.store.restore(number)
    chat.session.open(number)
    notice("conversation restored")
    chat.show_latest()


def _save(chat: "PlainChat", argument: str) -> None:
    path = user_path(argument) if argument else None
    notice(f"saved as {save_markdown(chat.session.thread.store, _current(chat), path)}")


def _copy(chat: "PlainChat", argument: str) -> None:
    text = chat.session.thread.get(None).text
    program = copy_natively(numbered_code_block(text, argument) if argument else text)
    if program is None:
        raise UsageError("no clipboard program found; /save writes a file")
    notice("copied")


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
        raise UsageError("Usage: /edit TEXT")
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
        raise UsageError("only one branch; /regen or /edit adds another")
    if not thread.switch(branched, by):
        raise UsageError("no more branches on that side")
    chat.show_latest()


def _attach(chat: "PlainChat", argument: str) -> None:
    attachment = read_attachment(argument, notice)
    chat.attached.append(attachment)
    notice(f"attached {attachment.about}; it is sent with the next question")


def _detach(chat: "PlainChat", _argument: str) -> None:
    chat.attached.clear()
    notice("attachments removed")


def _change(chat: "PlainChat", **values: str | int | float | None) -> bool:
    """False when the model could not be loaded with them, which has been said then."""
    if chat.session.change(**values):
        chat.warn()
        notice("loading the model")
        return chat.wait_for(Ready)
    return True


def _model(chat: "PlainChat", argument: str) -> None:
    argument, scope = split_keep(argument)
    number = whole_number(argument)
    if number is not None:
        models = models_to_choose(chat.session.prepared.model)[0]
        if not 1 <= number <= len(models):
            raise UsageError(f"there is no model {number}; /model lists them")
        argument = str(models[number - 1].model.path)
    elif not argument and not scope:
        write_models(chat.session.prepared.model)
        notice("/model NUMBER or /model NAME switches")
        return
    if not argument or _change(chat, model=argument):
        notice(f"the model is now {chat.session.prepared.model.name}")
        if scope:
            notice(chat.session.keep("model", scope))


def _system(chat: "PlainChat", argument: str) -> None:
    text, scope = split_keep(argument)
    if not text and not scope:
        system = chat.session.system
        write(f"{system}\n" if system else "There is no system prompt; /system TEXT sets one.\n")
    elif text == "clear":
        _change(chat, system="")
        notice("system prompt cleared")
    elif text:
        _change(chat, system=text)
        notice("system prompt set")
    if scope:
        notice(chat.session.keep("system", scope))


def _persona(chat: "PlainChat", argument: str) -> None:
    personas = {name: str(placed.value) for name, placed in load_config().personas.items()}
    if argument in personas:
        _system(chat, personas[argument])
    elif argument:
        raise UsageError(f"no persona is called {argument!r}; there are: {', '.join(personas) or 'none'}")
    elif not personas:
        raise UsageError("no persona yet; set one with /system TEXT, then /persona-save NAME")
    for name, text in personas.items() if not argument else ():
        write(f"{name}: {text}\n")


def _save_persona(chat: "PlainChat", argument: str) -> None:
    if not chat.session.system:
        raise UsageError("no system prompt to save; /system TEXT sets one")
    change_config(("personas", argument), chat.session.system)
    notice(f"saved; /persona {argument} uses it")


def _set(chat: "PlainChat", argument: str) -> None:
    argument, scope = split_keep(argument)
    field, value = parse_assignment(argument)
    if _change(chat, **{field: value}):
        notice(f"{field} is now {_in_force(chat, field)}")
        if scope:
            notice(chat.session.keep(field, scope))


def _think(chat: "PlainChat", argument: str) -> None:
    if not argument:
        notice(chat.session.tell_thinking())
    elif _change(chat, think=parse_setting("think", argument.lower())[1]):
        notice(chat.session.about_thinking())


def _settings(chat: "PlainChat", _argument: str) -> None:
    for name in SETTINGS:
        write(f"{name}: {_in_force(chat, name)} ({EXPLAINED[name]})\n")
    notice("/set NAME VALUE changes one; --keep at its end makes it the default")


def _in_force(chat: "PlainChat", name: str) -> object:
    """A setting's value, in words where nothing is set."""
    if name == "model":
        return chat.session.prepared.model.name
    value = chat.session.n_ctx if name == "ctx" else getattr(chat.session.settings, name)
    return "not set" if value is None else value


def _lens(chat: "PlainChat", _argument: str) -> None:
    chat.lens = not chat.lens
    notice("each answer will be followed by what was guessed" if chat.lens else "guesses are no longer shown")


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
