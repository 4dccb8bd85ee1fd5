"""Teachers are checked only for what every component promises: asking one may cost money."""

from __future__ import annotations

from collections.abc import Callable

from genrec_core.testing.subject import Subject

CHECKS: tuple[Callable[[Subject], None], ...] = ()
