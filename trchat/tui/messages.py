"""What the engine's thread posts to the screen."""

from textual.message import Message


class NewsArrived(Message):
    """The outbox has something; ``Outbox.take`` gives it."""
