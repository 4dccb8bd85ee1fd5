"""Data: the folder format, importing, cutting into views, and the protocol a result stands under.

In Python, `genrec_core.data.from_frames` makes a data folder of data frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrec_core.data.frames import from_frames

__all__ = ["from_frames"]


def __getattr__(name: str) -> Any:
    if name != "from_frames":
        raise AttributeError(f"module `genrec_core.data` has no name `{name}`")
    # The modules of this package are imported by those that run pipelines, which need no frames.
    from genrec_core.data.frames import from_frames

    return from_frames
