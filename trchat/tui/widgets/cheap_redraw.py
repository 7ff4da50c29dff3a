"""What makes widgets that are only there for what lies on them cheap to draw again."""

from typing import TYPE_CHECKING

from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.widget import Widget as Base
else:
    # Textual takes the styles of the first base that is a widget, which must be the container.
    Base = object


class Even(Base):
    """Mixed into a container whose lines all look alike: no line has a border, a title or a text of its own.

    Textual draws every line of every container again whenever a container has changed its size, which is most
    of the work when an answer grows. Here one line is drawn for all.
    """

    virtual_size = Reactive(Size(0, 0))
    """As Textual's, but a new size asks for no second layout: nothing depends on it here."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """As many times the same line as are wanted."""
        if not crop.height:
            return []
        return super().render_lines(Region(crop.x, crop.y, crop.width, 1)) * crop.height
