"""GGUF import: a llama.cpp file becomes an ordinary model.

What transformers loads from GGUF carries a mark that it is quantised, refuses to be saved and refuses to
be trained, although its weights are dequantised floats. So the network is built again from its config
without the mark, and given the same weights: the same logits to the last bit. Reading the file is slow
(most of a minute for 135 million weights); the model stage does it once and keeps safetensors.

The weights stay those of the quantised file, not of the model it was made from.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.choices import ChatUse, Precision
from genrec_core.engine.models.model import Model, chosen_device, quiet, torch_dtype
from genrec_core.engine.models.origin import unreadable
from genrec_core.engine.models.pretrained import assembled


def gguf_model(
    path: Path, *, dtype: Precision = "float32", device: str = "auto", chat: ChatUse = "auto"
) -> Model:
    """Read a `.gguf` file of a causal model.

    Raises:
        GenrecError: it is absent or cannot be read, or the package `gguf` is not installed.
    """
    if not path.is_file():
        raise GenrecError(f"there is no GGUF file `{path}`", hint="give the path of a .gguf file")
    try:
        with quiet():
            text_tokenizer = AutoTokenizer.from_pretrained(
                path.parent, gguf_file=path.name, local_files_only=True
            )
            read = AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch_dtype(dtype), local_files_only=True
            )
    except ImportError as error:
        raise GenrecError(
            f"`{path}` cannot be read: {error}", hint="pip install 'genrec-core[engine]', which brings gguf"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise unreadable("GGUF file", str(path), error) from error
    return assembled(_unmarked(read).to(chosen_device(device)), text_tokenizer, "causal", chat, str(path))


def _unmarked(network: Any) -> Any:
    """The same network without the mark of quantisation."""
    config = copy.deepcopy(network.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    clean = type(network)(config).to(network.dtype)
    clean.load_state_dict(network.state_dict())
    clean.tie_weights()
    return clean
