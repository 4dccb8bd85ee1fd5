"""Where a pretrained model comes from: a folder here, or a name on the hub.

Apart from the loading itself, because planning a pipeline has to know it and must not import torch.
"""

from __future__ import annotations

from pathlib import Path

from genrec_core.contracts.errors import GenrecError


def is_folder(path: str) -> bool:
    """Whether a path option names a folder here rather than a model on the hub."""
    return Path(path).expanduser().is_dir()


def unreadable(what: str, path: str, error: Exception) -> GenrecError:
    """The error for a model that could not be loaded, with what to do about it."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    looks_local = path.startswith((".", "/", "~")) or path.count("/") > 1
    if is_folder(path):
        hint = (
            "the folder must hold config.json, tokenizer.json and *.safetensors of a model without own code"
        )
    elif looks_local:
        hint = "there is no such folder; give the path of a downloaded model"
    else:
        hint = "give a local folder, or check the name and the network connection to download it from the hub"
    return GenrecError(f"cannot load the {what} `{path}`: {reason}", hint=hint)
