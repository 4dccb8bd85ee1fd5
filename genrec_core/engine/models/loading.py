"""Loading: every network, config and text tokenizer comes through `from_checkpoint`.

It is the only place that calls `from_pretrained`. Code that comes with a checkpoint (`auto_map` in its
config) is never run and nobody is asked whether to run it: a model that cannot do without is refused. A
folder is read without a look at the network. Planning a pipeline has to know whether a path is a folder, so
nothing here imports transformers before something is loaded.

    network = from_checkpoint(AutoModelForCausalLM, "/models/small", use_safetensors=True)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.backbone import ModelSize
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import expanded, regular_file


def is_folder(path: str) -> bool:
    """Whether a path option names a folder here rather than a model on the hub."""
    return expanded(path).is_dir()


def local_place(path: str) -> tuple[Path, ...]:
    """The file or folder here that a path option names; none where it is a name on the hub.

    What no model on the hub can be called is a place here, whether or not something is there.
    """
    place = expanded(path)
    return (place,) if place.exists() or _looks_local(path) else ()


def refuse_undecodable(folder: Path) -> None:
    """Look at a checkpoint's `config.json`: is it a language model that transformers knows?

    Raises:
        GenrecError: it is not, or cannot be read.
    """
    file = folder / "config.json"
    try:
        kind = orjson.loads(regular_file(file).read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise unreadable("model", str(folder), error) from error
    from transformers.models.auto import modeling_auto

    known = (
        modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )
    if not isinstance(kind, str) or not any(kind in names for names in known):
        raise GenrecError(
            f"`{file}` says `model_type: {kind}`, which the installed transformers has no language model for",
            hint="choose a causal or an encoder-decoder model that needs no code of its own",
        )
    try:
        _refuse_without(folder)
    except OSError as error:
        raise unreadable("model", str(folder), error) from error


def refuse_no_encoder(folder: Path, max_length: int | None) -> None:
    """Look at a sentence encoder's folder: config, weights, text tokenizer, positions and steps.

    Raises:
        GenrecError: something is missing or cannot be read, a step is not known, or `max_length` is more than
            the model has positions for.
    """
    try:
        config = orjson.loads(regular_file(folder / "config.json").read_bytes())
        if not isinstance(config.get("model_type"), str):
            raise ValueError("config.json names no `model_type`")
        _refuse_without(folder)
        file = folder / "modules.json"
        steps = orjson.loads(regular_file(file).read_bytes()) if file.exists() else []
        for step in steps:
            kind = str(step["type"]).rpartition(".")[2]
            if kind not in KNOWN_STEPS:
                raise GenrecError(
                    f"the sentence encoder `{folder}` has a step `{kind}`, which core/sentence does not know",
                    hint="embed the items elsewhere and use core/vectors",
                )
            for name in ("config.json", "model.safetensors") if kind == "Dense" else ():
                regular_file(folder / str(step["path"]) / name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable("sentence encoder", str(folder), error) from error
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and max_length is not None and max_length > positions:
        raise GenrecError(
            f"`max_length: {max_length}` is more than the sentence encoder can read: it has positions for "
            f"{positions:,} tokens",
            hint=f"write `max_length: {positions}` or less, or leave it out",
        )


KNOWN_STEPS = ("Transformer", "Pooling", "Normalize", "Dense")
"""Steps of `modules.json` that are known; all but the last are options of `core/sentence`."""
_TEXT_TOKENIZERS = ("tokenizer*", "vocab*", "*.model", "*.tiktoken")
"""Files of which a text tokenizer is read, one of them at least."""


def _refuse_without(folder: Path) -> None:
    """Raise unless weights and a text tokenizer are there.

    Raises:
        OSError: some are missing.
    """
    if not any(folder.glob("*.safetensors")):
        raise FileNotFoundError("it holds no weights (*.safetensors)")
    if not any(file for form in _TEXT_TOKENIZERS for file in folder.glob(form)):
        raise FileNotFoundError("it holds no text tokenizer (tokenizer.json)")


def stored_size(folder: Path, bytes_each: int) -> ModelSize | None:
    """The size of a checkpoint by the heads of its safetensors files; None where they cannot be read.

    A head is eight bytes of its length, then JSON: {"lm_head.weight": {"shape": [32000, 960], …}, …}.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        config = orjson.loads(regular_file(folder / "config.json").read_bytes())
        vocabulary = int({**config, **config.get("text_config", {})}["vocab_size"])
        for file in folder.glob("*.safetensors"):
            with regular_file(file).open("rb") as stream:
                length = int.from_bytes(stream.read(8), "little")
                head = orjson.loads(stream.read(min(length, _LONGEST_HEAD)))
            head.pop("__metadata__", None)
            shapes |= {name: tuple(map(int, entry["shape"])) for name, entry in head.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return ModelSize(tuple(shapes.values()), vocabulary, bytes_each) if shapes else None


_LONGEST_HEAD = 100 << 20


def _looks_local(path: str) -> bool:
    return path.startswith((".", "/", "~")) or path.count("/") > 1


def unreadable(what: str, path: str, error: Exception) -> GenrecError:
    """The error for a model that could not be loaded, with what to do about it."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if is_folder(path):
        hint = (
            "the folder must hold config.json, tokenizer.json and *.safetensors of a model without own code"
        )
    elif _looks_local(path):
        hint = "there is no such folder; give the path of a downloaded model"
    else:
        hint = "give a local folder, or check the name and the network connection to download it from the hub"
    return GenrecError(f"cannot load the {what} `{path}`: {reason}", hint=hint)


def from_checkpoint(kind: Any, path: str | Path, *, revision: str = "main", **options: Any) -> Any:
    """What a transformers class reads from a checkpoint, without running any code that lies in it.

    Args:
        kind: `AutoModelForCausalLM`, `AutoTokenizer`, `AutoConfig` …
        path: a folder, or a name on the hub.
        revision: branch, tag or commit, for a name on the hub.
        options: further arguments of `from_pretrained`; models take `use_safetensors=True`.

    Raises:
        OSError, ValueError, KeyError: as transformers raises them; see `unreadable`.
    """
    local = is_folder(str(path))
    where = {"local_files_only": True} if local else {"revision": revision}
    name = str(expanded(path)) if local else str(path)
    for file in expanded(path).iterdir() if local else ():
        regular_file(file)
    with quiet():
        return kind.from_pretrained(name, trust_remote_code=False, **where, **options)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' own bars and messages off the terminal: progress is shown by the context."""
    from transformers.utils import logging as hf_logging

    verbosity, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if bars:
            hf_logging.enable_progress_bar()
