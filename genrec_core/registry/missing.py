"""Missing packages: an import that failed, told as what is not installed and how to install it.

Listing, showing, checking and explaining need only the base installation. What trains and recommends
imports torch and scipy when it does its work, so that is where their absence is noticed.

    stage `embed` needs the module `scipy`, which is not installed
      → pip install 'genrec-core[engine]'
"""

from __future__ import annotations

from genrec_core.contracts.errors import PluginError

EXTRAS = {
    "torch": "engine",
    "transformers": "engine",
    "tokenizers": "engine",
    "accelerate": "engine",
    "scipy": "engine",
    "gguf": "engine",
    "trl": "rl",
    "datasets": "rl",
    "pyarrow": "parquet",
    "datasketch": "doctor",
}
"""Module → the extra of genrec-core that brings it."""


def missing_module(error: ModuleNotFoundError) -> str:
    """The top-level name of the module that was not found."""
    return (error.name or "?").partition(".")[0]


def is_of_an_extra(error: ModuleNotFoundError) -> bool:
    """Whether this is the absence of a package that an extra of the core would have brought."""
    return missing_module(error) in EXTRAS


def not_installed(who: str, error: ModuleNotFoundError, hint: str = "") -> PluginError:
    """The error for the user; `who` needs the module, `hint` replaces the advice to install it."""
    missing = missing_module(error)
    package = f"'genrec-core[{EXTRAS[missing]}]'" if missing in EXTRAS else missing
    return PluginError(
        f"{who} needs the module `{error.name}`, which is not installed",
        hint=hint or f"pip install {package}",
    )
