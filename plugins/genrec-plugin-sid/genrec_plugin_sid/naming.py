"""Naming: codes written as tokens.

A template makes the token of a code: `<{level}_{code}>` writes code 12 of the first level as `<a_12>`. Levels
are letters (a, b, c, …); the rank that resolves a collision is one level further. Optional boundary tokens
stand before and after every identifier (OneRec-Think writes items between a begin and an end token).

    paths (12, 3, −1) and (12, 3, 0) → <a_12><b_3> and <a_12><b_3><c_0>
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from string import Formatter, ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core import Identifiers
from genrec_plugin_sid.paths import Paths
from genrec_plugin_sid.quantiser import Codebooks

MOST_LEVELS = len(ascii_lowercase) - 1
"""One letter is left for the rank."""


@dataclass(frozen=True)
class Naming:
    """How the codes of one quantiser are written.

    Attributes:
        sizes: number of codes at each level.
        ranks: number of rank tokens; 0 where collisions are kept.
        template: see the module; checked by `check_template`.
        begin, end: boundary tokens, empty for none.
    """

    sizes: tuple[int, ...]
    ranks: int
    template: str
    begin: str = ""
    end: str = ""

    def token(self, level: int, code: int) -> str:
        """The token of one code; level `len(sizes)` is that of the ranks."""
        return self.template.format(level=ascii_lowercase[level], code=code)

    def all_tokens(self) -> tuple[str, ...]:
        """Every token that can occur, used or not, level by level; boundary tokens first."""
        codes = (self.token(level, code) for level, size in enumerate(self._levels()) for code in range(size))
        return (*filter(None, (self.begin, self.end)), *codes)

    def vectors(self, codebooks: Codebooks) -> NDArray[np.float32]:
        """What each token of `all_tokens` means, float32 [tokens, d]: the entry of its codebook, every level
        scaled to a mean square of one; zeros for boundary and rank tokens, which mean nothing."""
        scaled = [book / (float(np.sqrt(np.square(book).sum(axis=1).mean())) or 1.0) for book in codebooks]
        width = codebooks[0].shape[1]
        before = np.zeros((sum(map(bool, (self.begin, self.end))), width))
        after = np.zeros((self.ranks, width))
        return np.concatenate([before, *scaled, after]).astype(np.float32)

    def write(self, paths: Paths) -> Iterator[tuple[str, ...]]:
        """The identifier of each path (int32 [N, levels + 1], rank last, −1 for none)."""
        spelled = [[self.token(level, c) for c in range(size)] for level, size in enumerate(self._levels())]
        for path in paths.tolist():
            codes = (spelled[level][code] for level, code in enumerate(path) if code >= 0)
            yield tuple(filter(None, (self.begin, *codes, self.end)))

    def read(self, identifiers: Identifiers) -> Paths:
        """The paths of written identifiers: what `write` was given."""
        spelled = {
            self.token(level, code): (level, code)
            for level, size in enumerate(self._levels())
            for code in range(size)
        }
        none = (-1, -1)  # a boundary token
        meant = np.asarray([spelled.get(token, none) for token in identifiers.vocabulary], dtype=np.int32)
        levels, codes = meant[identifiers.codes].T
        items = np.repeat(np.arange(len(identifiers)), identifiers.lengths)
        paths = np.full((len(identifiers), len(self._levels())), -1, dtype=np.int32)
        paths[items[levels >= 0], levels[levels >= 0]] = codes[levels >= 0]
        return paths

    def settings(self) -> dict[str, Any]:
        """Plain values to keep beside the codebooks; `from_settings` reads them back."""
        return asdict(self) | {"sizes": list(self.sizes)}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Naming:
        """The naming that `settings()` described."""
        return cls(**settings | {"sizes": tuple(settings["sizes"])})

    def _levels(self) -> tuple[int, ...]:
        return (*self.sizes, self.ranks)


def paths_of(identifiers: Identifiers) -> Paths:
    """The paths, int32 [N, levels + 1], of identifiers that a tokenizer of this package made."""
    return Naming.from_settings(identifiers.settings["naming"]).read(identifiers)


def check_template(template: str) -> str:
    """The template, if it gives every code of every level a token of its own.

    Raises:
        ValueError: a field is missing or unknown, codes would share a token, or a token has white space.
    """
    fields = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    if fields != {"level", "code"}:
        raise ValueError("must contain {level} and {code} and no other field, for example <{level}_{code}>")
    spelled = [template.format(level=level, code=code) for level in "ab" for code in (0, 7, 12, 345)]
    if len(set(spelled)) < len(spelled):
        raise ValueError(f"writes two codes the same way: {', '.join(spelled)}")
    if any(character.isspace() for character in "".join(spelled)):
        raise ValueError("must not write white space: a token is one word")
    return template
