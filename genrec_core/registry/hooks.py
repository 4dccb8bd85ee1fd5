"""The one hook a plugin implements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from genrec_core.registry.registry import Registry

PROJECT = "genrec"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def genrec_register(registry: Registry) -> None:
    """Register the plugin's components: `registry.tokenizer("hashed", HashedTokenizer)`.

    The component's full name is the entry point's name, a slash and the name given here. The second
    argument is a class or a lazy `"package.module:Class"`; lazy ones keep `genrec plugins` free of torch.
    """
