"""Semantic IDs: what every tokenizer that quantises embeddings does, except learning the codebooks.

Embed every item, learn a quantiser (`learn`, the one thing a subclass adds besides `restore`), tell apart the
items that got the same codes (`collisions`), write codes as tokens (`naming`). Everything that names a new
item later is kept in the identifiers: codebooks, what the encoder has learnt, and how tokens are written.
Which paths are taken, the old identifiers say themselves.

    class Random(SemanticIDs):
        def learn(self, vectors, items, train, context):
            books = tuple(context.generator(l).permutation(vectors)[:8] for l in range(self.options.levels))
            return Learnt(LinearQuantiser(vectors.mean(0), books), encode(vectors - vectors.mean(0), books))

        def restore(self, state, settings):
            return LinearQuantiser.from_state(state)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from genrec_core import Context, Encoder, GenrecError, Identifiers, Items, Reconstruction, Tokenizer, View
from genrec_plugin_sid.collisions import POLICIES, PolicyName
from genrec_plugin_sid.naming import MOST_LEVELS, Naming, check_template, paths_of
from genrec_plugin_sid.paths import Coded, Paths
from genrec_plugin_sid.quantiser import Arrays, Learnt, Quantiser, unexplained

USUAL_CODES = 256


class SemanticIDs(Tokenizer):
    """Names items by the codes of a residual quantiser over their embeddings."""

    class Options(Tokenizer.Options):
        """What to embed with, how finely to quantise, what to do about collisions, how to write codes."""

        encoder: Encoder = Field(default={"use": "core/ngrams"}, validate_default=True)
        """Gives the embeddings."""

        levels: int = Field(default=3, ge=1, le=MOST_LEVELS)
        """Number of residual levels, so of code tokens in an identifier."""

        codes: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], ...] | None = None
        """Codes at each level: one number or one a level. A level that has fewer distinct residuals is an
        error. By default 256, or a quarter of the distinct residuals where there are fewer than 1,024."""

        unit: bool = False
        """Scale embeddings to length one first, so that distances follow the cosine."""

        collisions: PolicyName = "suffix"
        """What happens to items that got the same codes: `suffix` numbers them with one more token;
        `next-nearest` moves all but one to the nearest free codes; `sinkhorn` shares out free codes of
        the last level among them; `keep` lets them share an identifier."""

        template: Annotated[str, AfterValidator(check_template)] = "<{level}_{code}>"
        """How a code is written; levels are letters."""

        begin: str = Field(default="", pattern=r"^\S*$")
        """Token before every identifier."""

        end: str = Field(default="", pattern=r"^\S*$")
        """Token after every identifier."""

        @model_validator(mode="after")
        def _one_size_a_level(self) -> SemanticIDs.Options:
            if isinstance(self.codes, tuple) and len(self.codes) != self.levels:
                raise ValueError(f"`codes` lists {len(self.codes)} sizes for `levels: {self.levels}`")
            return self

    options: Options

    @abstractmethod
    def learn(self, vectors: NDArray[np.float32], items: Items, train: View, context: Context) -> Learnt:
        """A quantiser for the items' embeddings (float32 [N, d]), and the codes of these items."""

    @abstractmethod
    def restore(self, state: Arrays, settings: Mapping[str, Any]) -> Quantiser:
        """The quantiser whose `state()` and `settings()` these are (other names may stand beside)."""

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """Learn a quantiser and name every item by its codes.

        Raises:
            GenrecError: more codes are asked for than a level has distinct residuals, or the collision policy
                finds no free codes.
        """
        embedded = context.embedded(self.options.encoder, items)
        vectors = self._as_seen(embedded.vectors, items)
        learnt = self.learn(vectors, items, train, context)
        quantiser, options = learnt.quantiser, self.options
        latents = quantiser.latents(vectors)
        _log_levels(latents, learnt, context)
        settled = np.zeros((0, options.levels + 1), dtype=np.int32)
        paths = _settle(
            Coded(learnt.codes, settled, latents, quantiser.codebooks), options.collisions, context
        )
        sizes = tuple(len(book) for book in quantiser.codebooks)
        naming = Naming(sizes, self._rank_tokens(sizes, paths), options.template, options.begin, options.end)
        settings = {
            "tokenizer": _class_name(self),
            "naming": naming.settings(),
            "collisions": options.collisions,
            "unit": options.unit,
            "encoder": _encoder_identity(options.encoder),
            "quantiser": quantiser.settings(),
        }
        state = quantiser.state() | {f"encoder.{name}": array for name, array in embedded.state.items()}
        return _identifiers(naming, paths, state, settings)

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """Name new items with the frozen codebooks; no old identifier moves.

        Raises:
            GenrecError: the identifiers are not of this tokenizer and encoder, or rank tokens or free codes
                ran out.
        """
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_plugin_sid.residual import encode

        self._check_fitted_here(identifiers)
        settings = identifiers.settings
        naming = Naming.from_settings(settings["naming"])
        quantiser = self._quantiser(identifiers)
        vectors = context.embed(self.options.encoder, items, identifiers.learnt("encoder"))
        latents, settled = quantiser.latents(self._as_seen(vectors, items)), naming.read(identifiers)
        coded = Coded(encode(latents, quantiser.codebooks), settled, latents, quantiser.codebooks)
        paths = _settle(coded, settings["collisions"], context)
        if paths[:, -1].max(initial=-1) >= naming.ranks > 0:
            raise GenrecError(
                f"{int((paths[:, -1] >= naming.ranks).sum()):,} new items need a collision rank beyond the "
                f"`{naming.ranks}` tokens that the model has learnt",
                hint="fit the tokenizer again on the whole catalogue",
            )
        return _identifiers(naming, np.concatenate([settled, paths]), identifiers.state, settings)

    def seen(self, items: Items, context: Context) -> NDArray[np.float32]:
        """Embeddings as the quantiser sees them, float32 [N, d]: finite, of length one where asked.

        Raises:
            GenrecError: an embedding is not finite.
        """
        return self._as_seen(context.embed(self.options.encoder, items), items)

    def _as_seen(self, vectors: NDArray[np.float32], items: Items) -> NDArray[np.float32]:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise GenrecError(
                f"encoder `{self.options.encoder.name}` gave {len(bad):,} embeddings that are not finite, "
                f"the first for item `{items.ids[int(bad[0])]}`",
                hint="look at the text of that item, or use another encoder",
            )
        if not self.options.unit:
            return vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    def reconstructed(self, identifiers: Identifiers) -> NDArray[np.float32]:
        """What the items' codes stand for, float32 [N, d]: beside `seen`, the error of quantising.

        Raises:
            GenrecError: another tokenizer made the identifiers.
        """
        self._check_made_here(identifiers)
        return self._quantiser(identifiers).decode(paths_of(identifiers)[:, :-1])

    def reconstruct(self, identifiers: Identifiers, items: Items, context: Context) -> Reconstruction:
        """The items' embeddings as the quantiser sees them, beside what their codes stand for."""
        embedded, learnt = context.embedded(self.options.encoder, items), identifiers.learnt("encoder")
        if not _same_arrays(embedded.state, learnt):
            # Items came since: an encoder that learns must embed as it did when the codebooks were made.
            embedded = context.embedded(self.options.encoder, items, learnt)
        return Reconstruction(self._as_seen(embedded.vectors, items), self.reconstructed(identifiers))

    def codes_at(self, level: int, distinct: int) -> int:
        """How many codes a level gets whose vectors have so many distinct values; see the option.

        Raises:
            GenrecError: the option asks for more.
        """
        asked = self.options.codes
        if asked is None:
            return min(USUAL_CODES, max(distinct // 4, min(distinct, 2)))
        size = asked[level] if isinstance(asked, tuple) else asked
        if size > distinct:
            raise GenrecError(
                f"level {level + 1} of {self.options.levels} asks for `{size}` codes, but its "
                f"items have only {distinct:,} distinct residuals",
                hint="write smaller `codes`, fewer `levels`, or leave `codes` out",
            )
        return size

    def _quantiser(self, identifiers: Identifiers) -> Quantiser:
        return self.restore(identifiers.state, identifiers.settings.get("quantiser", {}))

    def _rank_tokens(self, sizes: tuple[int, ...], paths: Paths) -> int:
        """Rank tokens to learn: as many as the last level has codes, or twice what is needed now."""
        if self.options.collisions != "suffix":
            return 0
        return max(sizes[-1], 2 * (int(paths[:, -1].max(initial=-1)) + 1))

    def _check_made_here(self, identifiers: Identifiers) -> None:
        maker = identifiers.settings.get("tokenizer")
        if maker != _class_name(self):
            raise GenrecError(
                f"tokenizer `{self.name}` did not make these identifiers: "
                + (f"`{maker}` did" if maker else "they hold no codebooks"),
                hint="use the tokenizer that made them",
            )

    def _check_fitted_here(self, identifiers: Identifiers) -> None:
        self._check_made_here(identifiers)
        fitted, mine = identifiers.settings["encoder"], _encoder_identity(self.options.encoder)
        if fitted != mine:
            raise GenrecError(
                f"the codebooks were fitted on embeddings of `{fitted}`, these would come from `{mine}`",
                hint="use the encoder, with the options, that the identifiers were made with",
            )
        if identifiers.settings["unit"] != self.options.unit:
            raise GenrecError(
                f"the codebooks were fitted with `unit: {str(not self.options.unit).lower()}`",
                hint="write the same here",
            )


def _log_levels(latents: NDArray[np.float32], learnt: Learnt, context: Context) -> None:
    books = learnt.quantiser.codebooks
    shares = unexplained(latents, books, learnt.codes)
    for level, (book, share) in enumerate(zip(books, shares, strict=True)):
        used = len(np.unique(learnt.codes[:, level]))
        context.log("level", level=level, codes=len(book), used=used, unexplained=share)


def _settle(coded: Coded, policy: PolicyName, context: Context) -> Paths:
    paths = POLICIES[policy](coded)
    moved = int((paths[:, :-1] != coded.codes).any(axis=1).sum())
    ranked = int((paths[:, -1] >= 0).sum())
    context.log("collisions", policy=policy, shared=int(coded.shared().sum()), moved=moved, ranked=ranked)
    return paths


def _identifiers(naming: Naming, paths: Paths, state: Arrays, settings: Mapping[str, Any]) -> Identifiers:
    written, tokens = naming.write(paths), naming.all_tokens()
    return Identifiers.of(written, new_tokens=tokens, state=state, settings=settings)


def _class_name(component: Tokenizer | Encoder) -> str:
    kind = type(component)
    return f"{kind.__module__}.{kind.__qualname__}"


def _encoder_identity(encoder: Encoder) -> dict[str, Any]:
    """What tells two encoders apart however each was made: class, version, options."""
    identity = encoder.identity()
    return {
        "class": _class_name(encoder),
        "version": identity["version"],
        "options": identity["options"],
    }


def _same_arrays(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
