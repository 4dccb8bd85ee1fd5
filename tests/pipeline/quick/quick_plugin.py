"""A plugin whose every component takes milliseconds and no torch, to test what happens around them.

The "model" is a table of how often one item followed another, saved as JSON.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from genrec_core import (
    Backbone,
    Candidate,
    Candidates,
    Corpus,
    Dataset,
    Encoder,
    FittedTokenizer,
    History,
    Identifiers,
    ItemRef,
    Items,
    Message,
    Observer,
    Recommender,
    RecommenderSession,
    Sample,
    Sequences,
    Source,
    Teacher,
    Tokenizer,
    Trained,
    Trainer,
    hookimpl,
    operational,
)


class Shop(Source):
    """The last `late` items only ever end a sequence, so that training does not show them."""

    class Options(Source.Options):
        items: int = 12
        users: int = 20
        late: int = 0
        prices: Path | None = None

    def load(self, context):
        n, late = self.options.items, self.options.late
        titles = [f"Thing {i:02}" for i in range(n + late)]
        items = Items(tuple(f"i{i}" for i in range(n + late)), {"title": titles})
        rows = [[(user + step) % n for step in range(5)] for user in range(self.options.users)]
        for number, row in enumerate(rows[:late]):
            row[-1] = n + number
        return Dataset(items, tuple(f"u{user}" for user in range(len(rows))), Sequences.of(rows))


class Lengths(Encoder):
    class Options(Encoder.Options):
        power: float = 1.0

    def encode(self, texts, state, context):
        return np.asarray(
            [[len(text) ** self.options.power, ord(text[-1])] for text in texts], dtype=np.float32
        )


class Numbers(Tokenizer):
    class Options(Tokenizer.Options):
        encoder: Encoder = Field(default={"use": "quick/lengths"}, validate_default=True)
        base: int = 4
        policy: Literal["plain", "padded"] = "plain"

    def fit(self, items, train, context):
        vectors = context.embed(self.options.encoder, items)
        assert vectors.shape == (len(items), 2)
        base = self.options.base
        return Identifiers.of([(f"<a{i // base}>", f"<b{i % base}>") for i in range(len(items))])

    def extend(self, identifiers, items, context):
        old = [identifiers.tokens(i) for i in range(len(identifiers))]
        base, numbers = self.options.base, range(len(old), len(old) + len(items))
        return Identifiers.of([*old, *((f"<a{i // base}>", f"<b{i % base}>") for i in numbers)])


class Owning(Numbers):
    """Owns a model in the slot `writer`, which it needs again to name new items."""

    slot = "writer"

    class Options(Numbers.Options):
        writer: Backbone = Field(default={"use": "quick/counts"}, validate_default=True)
        keep: bool = False

    def fit(self, items, train, context):
        identifiers = super().fit(items, train, context)
        return (
            identifiers if self.options.keep else FittedTokenizer(identifiers, Table({"named": len(items)}))
        )

    def extend(self, identifiers, items, context):
        assert context.models["writer"].network["named"] > 0
        return super().extend(identifiers, items, context)


class Table:
    family = "causal"
    text_tokenizer = None

    def __init__(self, counts):
        self.network = counts

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.json").write_text(json.dumps(self.network, sort_keys=True))


class Counts(Backbone):
    def build(self, catalogue, context):
        return Table({})

    def load(self, folder):
        return Table(json.loads((folder / "table.json").read_text()))


class Counting(Trainer):
    """Counts which item follows which; `bonus` differs by seed, `workspace` keeps a checkpoint."""

    class Options(Trainer.Options):
        epochs: int = 1
        sleep: float = operational(0.0)
        fail: Literal["", "value", "data"] = ""
        ask: Teacher | None = None

    def train(self, models, catalogue, training, context):
        if self.options.fail == "value":
            raise ValueError("the loss exploded")
        if self.options.ask is not None:
            context.ask(self.options.ask, [(Message("user", f"what is {i}?"),) for i in range(5)])
        counts = Counter(models["main"].network)
        for _, row in training.train.sequences():
            counts.update(f"{a}>{b}" for a, b in zip(row[:-1].tolist(), row[1:].tolist(), strict=True))
        for epoch in range(self.options.epochs):
            time.sleep(self.options.sleep)
            (context.workspace / "checkpoint.json").write_text(str(epoch))
            context.log("epoch", loss=1.0 / (epoch + 1), tokens=10)
        favourite = int(context.generator().integers(len(catalogue.items)))
        counts[f"*>{favourite}"] += 1
        return Trained({"main": Table(dict(counts))}, curves={"loss": [(0.0, 1.0)]})


class Renaming(Counting):
    """Also learns identifiers: appends a token to each."""

    learns_identifiers = True

    def train(self, models, catalogue, training, context):
        trained = super().train(models, catalogue, training, context)
        old = catalogue.identifiers
        new = Identifiers.of([(*old.tokens(i), "<x>") for i in range(len(old))])
        return Trained(trained.models, new)


class Both(Counting):
    """Reads two models and gives one back; asks a third through the context."""

    slots = ("main", "writer")
    changes = ("main",)

    class Options(Counting.Options):
        asks: str = ""
        gives: tuple[str, ...] = ("main",)

    def model_slots(self):
        return (self.options.asks,) if self.options.asks else ()

    def train(self, models, catalogue, training, context):
        read = {slot: len(model.network) for slot, model in models.items()}
        asked = dict(context.models[self.options.asks].network) if self.options.asks else {}
        made = Table({**models["main"].network, "read": len(read), "asked": len(asked)})
        return Trained(dict.fromkeys(self.options.gives, made))


class Sneaky(Renaming):
    """Gives new identifiers without saying so."""

    learns_identifiers = False


class Next(Corpus):
    def samples(self, view, catalogue, context):
        for example in view.examples():
            yield Sample((History(example.history), ItemRef(example.target, learn=True)), example.target)

    def prompt(self, request, catalogue, context):
        return Sample((History(request.history),))


class Titles(Corpus):
    """No recommendation task."""

    def samples(self, view, catalogue, context):
        return iter(())


class Follow(Recommender):
    class Options(Recommender.Options):
        beams: int = 5
        short: bool = False

    def most_candidates(self):
        return self.options.beams

    def open(self, models, catalogue, prompts, context):
        return FollowSession(self.options, models["main"].network, catalogue)


class FollowSession(RecommenderSession):
    def __init__(self, options, counts, catalogue):
        self.options, self.counts, self.catalogue = options, counts, catalogue

    def recommend(self, requests):
        counts, catalogue = self.counts, self.catalogue
        for request in requests[: -1 if self.options.short else None]:
            last = request.history[-1] if request.history else -1
            scores = [
                counts.get(f"{last}>{i}", 0) + 0.1 * counts.get(f"*>{i}", 0)
                for i in range(len(catalogue.items))
            ]
            best = np.argsort(-np.asarray(scores), kind="stable")[: self.options.beams]
            beams = [Candidate(catalogue.identifiers.tokens(int(i)), float(scores[i])) for i in best]
            yield Candidates(tuple(beams), {"finish": 2 * len(beams)})


class Pair(Follow):
    """Reads two model slots."""

    slots = ("main", "finisher")


class Scribe(Observer):
    class Options(Observer.Options):
        path: Path
        fail: bool = False

    def _note(self, text):
        if self.options.fail:
            raise RuntimeError("the tracker is offline")
        with self.options.path.open("a") as file:
            file.write(text + "\n")

    def run_started(self, run, plan):
        self._note("started")

    def stage_finished(self, stage, outcome, seconds):
        self._note(f"{stage} {outcome}")

    def run_finished(self, run, metrics):
        self._note("finished")


class Parrot(Teacher):
    """Answers, and notes in a file how often it was asked."""

    class Options(Teacher.Options):
        notes: Path = operational(Path("asked.txt"))

    def complete(self, chats, context):
        with self.options.notes.open("a") as file:
            file.write(f"{len(chats)}\n")
        return [chat[-1].text.upper() for chat in chats]


@hookimpl
def genrec_register(registry):
    if os.environ.get("QUICK_BREAKS"):
        raise RuntimeError("quick is broken today")
    for kind, name, cls in (
        ("source", "shop", Shop),
        ("encoder", "lengths", Lengths),
        ("tokenizer", "numbers", Numbers),
        ("backbone", "counts", Counts),
        ("trainer", "counting", Counting),
        ("trainer", "renaming", Renaming),
        ("trainer", "sneaky", Sneaky),
        ("trainer", "both", Both),
        ("tokenizer", "owning", Owning),
        ("corpus", "next", Next),
        ("corpus", "titles", Titles),
        ("recommender", "follow", Follow),
        ("recommender", "pair", Pair),
        ("observer", "scribe", Scribe),
        ("teacher", "parrot", Parrot),
    ):
        getattr(registry, kind)(name, cls)
