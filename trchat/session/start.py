"""Opens a session as the command line wants it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from trchat.session.host import EngineHost
from trchat.session.session import Session
from trchat.session.thread import Thread
from trchat.startup import Prepared

if TYPE_CHECKING:
    from trchat.session.host import OpenEngine

LATEST = 0
"""``--continue`` without an ID."""


def start_session(
    flags: Mapping[str, object],
    prepared: Prepared,
    wake: Callable[[], object],
    warn: Callable[[str], None],
    opener: "OpenEngine | None" = None,
) -> Session:
    """Open the history, begin to load the model, and go on with a conversation where ``--continue`` says so.

    ``wake`` is called on the engine's thread when there is news, ``warn`` with trouble about the history.
    Raises UnknownIdError for a conversation that is not there.
    """
    from trchat.storage.conversations import open_history

    store = open_history(warn)
    host = EngineHost(store, wake, opener)
    session = Session(flags, prepared, host, Thread(store))
    wanted = flags.get("continue_id")
    try:
        if isinstance(wanted, int):
            session.open(store.kept(None if wanted == LATEST else wanted).id)
    except BaseException:
        session.close()
        raise
    host.load(prepared, despite_crash=True)  # who started the chat was asked
    return session
