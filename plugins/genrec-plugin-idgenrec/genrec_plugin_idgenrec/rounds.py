"""The rounds of alternate training: phases in order, each kept when it is done.

    phase 1   generator step, identifiers written anew      kept: both models, the names, curves
    phase 2   recommender step                              kept: the same
    …

A phase reads what the one before it left and nothing else, so a training that is started again takes up the
newest kept phase and, inside the next one, that one's own newest checkpoint.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch

from genrec_core import Catalogue, Context, GenrecError, Trained, Training, View
from genrec_core.engine import (
    BestTracker,
    Model,
    Renderer,
    finetune,
    load_weights,
    resumable,
    save_weights,
    work_folder,
    write_checkpoint,
)
from genrec_plugin_idgenrec.alternate import Alternate
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.generator_step import GeneratorStep, WeightedSample
from genrec_plugin_idgenrec.report import AFTER, BEFORE, MOVED, RENAMED
from genrec_plugin_idgenrec.soft import batch_of, token_losses
from genrec_plugin_idgenrec.textual import identifiers_of, log_writing
from genrec_plugin_idgenrec.writing import Writing, writing_of

MAIN, GENERATOR, NAMES = "main.safetensors", "generator.safetensors", "names.json"

SHOWN = 20
"""Items whose names are kept."""

PROBED = 512
"""Validation samples that say what the recommender makes of new identifiers."""


class AlternateRounds:
    """One alternate training.

    Args:
        main: the recommender ω.
        generator: the ID generator φ.
        catalogue: items, and the identifiers to begin with.
        training: the views.
        trainer: with the options.
        context: seed, workspace, log.
    """

    def __init__(
        self,
        main: Model,
        generator: Model,
        catalogue: Catalogue,
        training: Training,
        trainer: Alternate,
        context: Context,
    ) -> None:
        self.main, self.phi, self.training = main, generator, training
        self.trainer, self.options = trainer, trainer.options
        self.context, self.catalogue = context, catalogue
        self._first_version = catalogue.identifiers.version
        self.writing: Writing = self.options.writing or writing_of(catalogue.identifiers)
        self.generator = Generator(generator, catalogue.items, self.writing)
        main.max_length = self.options.max_length or main.max_length

    def run(self) -> Trained:
        """Every phase that is not kept yet."""
        phases, context = self.trainer.phases(), self.context
        identity = self._identity()
        with work_folder(context) as folder:
            kept, tracker = resumable(folder, identity, None, context, needs_best=False)
            done = 0
            if kept is not None:
                done = int(kept.name.rpartition("-")[2])
                self._take_up(kept)
                context.log("resumed", phase=done)
            for number, (turn, who) in enumerate(phases[done:], done + 1):
                self._phase(number, turn, who, folder / f"phase-{number}", identity, tracker)
                self._keep(folder / f"checkpoint-{number}", identity, tracker)
                shutil.rmtree(folder / f"phase-{number}", ignore_errors=True)
                for old in folder.glob("checkpoint-*"):
                    if old.name != f"checkpoint-{number}":
                        shutil.rmtree(old, ignore_errors=True)
        models = {"main": self.main, "generator": self.phi}
        return Trained(models, self.catalogue.identifiers, curves=tracker.curves)

    def _phase(
        self, number: int, turn: int, who: str, folder: Path, identity: str, tracker: BestTracker
    ) -> None:
        seed = int(np.random.SeedSequence([self.context.seed, number]).generate_state(1)[0])
        context = replace(self.context, seed=seed, workspace=folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.context.log("phase", round=turn, turn=who)
        if who == "generator":
            curve = self._generator_step(folder, f"{identity}-{number}", context)
            self._rename(turn, tracker)
            self._join(tracker, "generator loss", curve)
            return
        before = self._probe()
        trained = finetune(
            self.main,
            self.catalogue,
            self.training,
            self.options.corpora,
            self.options,
            self._lending(context),
        )
        for name, points in trained.curves.items():
            self._join(tracker, name, points)
        after = self._probe()
        if not math.isnan(before):
            tracker.curves.setdefault(BEFORE, []).append((float(turn), before))
            tracker.curves.setdefault(AFTER, []).append((float(turn), after))
            self.context.log("learnt", round=turn, loss_before=before, loss_after=after)

    def _generator_step(self, folder: Path, identity: str, context: Context) -> list[tuple[float, float]]:
        rows = self._rendered(self.training.train, context)
        if not any(rendered.spans and True in rendered.learn for rendered, _ in rows):
            raise GenrecError(
                "the generator has nothing to learn: no sample of the first corpus has an item in its prompt",
                hint="use idgenrec/next-item or core/next-item as the first corpus",
            )
        settings, seed = self.options.id_generator, context.seed
        step = GeneratorStep(self.generator, self.main, self.catalogue, rows, settings, seed)
        curve = step.run(folder, identity, context)
        self.context.log("generator learnt", steps=step.steps, loss=curve[-1][1] if curve else math.nan)
        return curve

    def _rendered(self, view: View, context: Context, most: int | None = None) -> list[WeightedSample]:
        """The first corpus' samples of a view as the recommender reads them; `most` of them, evenly."""
        corpus = self.options.corpora[0]
        samples = list(corpus.samples(view, self.catalogue, self._lending(context)))
        if most is not None and len(samples) > most:
            samples = [
                samples[place] for place in np.linspace(0, len(samples) - 1, most).astype(int).tolist()
            ]
        renderer = Renderer(self.main, self.catalogue)
        return [(renderer.rendered(sample), sample.weight) for sample in samples]

    def _rename(self, turn: int, tracker: BestTracker) -> None:
        """Write all identifiers anew, as a new version."""
        old, items = self.catalogue.identifiers, self.catalogue.items
        with torch.random.fork_rng():
            named = self.generator.name_all(range(len(items)), self.context)
        new = identifiers_of(named.texts, self.writing, like=old)
        moved = [item for item in range(len(items)) if new.text(item) != old.text(item)]
        shown = self._shown()
        renamed = {**old.settings.get(RENAMED, {}), str(turn): {items.ids[n]: old.text(n) for n in shown}}
        settings = {**new.settings, RENAMED: renamed}
        new = replace(new, version=old.version + 1, settings=settings)
        self.catalogue = replace(self.catalogue, identifiers=new)
        tracker.curves.setdefault(MOVED, []).append((float(turn), float(len(moved))))
        log_writing(named, self.context, round=turn, moved=len(moved), version=new.version)

    def _shown(self) -> list[int]:
        """Items whose names are followed: drawn by the seed, the same in every round."""
        count = len(self.catalogue.items)
        return sorted(self.context.generator(0).permutation(count)[:SHOWN].tolist())

    def _probe(self) -> float:
        """Mean loss of the recommender on validation samples with the identifiers of now; NaN without any."""
        rows = self._rendered(self.training.valid, self.context, PROBED) if len(self.training.valid) else []
        total = learnt = 0.0
        with torch.inference_mode():
            for start in range(0, len(rows), 64):
                batch = batch_of(rows[start : start + 64], self.main, 1)
                total += float(token_losses(self.main, batch))
                learnt += batch.learnt
        return total / learnt if learnt else math.nan

    def _lending(self, context: Context) -> Context:
        """The context of a corpus that asks the generator: as it is now, not as it was before this stage."""
        return replace(context, models={**context.models, "generator": self.phi})

    def _join(self, tracker: BestTracker, name: str, points: Sequence[tuple[float, float]]) -> None:
        """A phase's curve behind those of the phases before it."""
        curve = tracker.curves.setdefault(name, [])
        begin = tracker.counts.get(f"steps of {name}", 0)
        curve += [(begin + step, value) for step, value in points]
        if points:
            tracker.counts[f"steps of {name}"] = begin + int(points[-1][0])

    def _keep(self, folder: Path, identity: str, tracker: BestTracker) -> None:
        identifiers = self.catalogue.identifiers

        def write(where: Path) -> None:
            save_weights(self.main.network, where / MAIN)
            save_weights(self.phi.network, where / GENERATOR)
            kept = {
                "names": None
                if identifiers.version == self._first_version
                else [identifiers.text(item) for item in range(len(identifiers))],
                "version": identifiers.version,
                "renamed": identifiers.settings.get(RENAMED, {}),
                "scoring": self.main.scoring,
                "max_length": self.main.max_length,
            }
            (where / NAMES).write_bytes(orjson.dumps(kept))

        write_checkpoint(folder, identity, write, tracker)

    def _take_up(self, folder: Path) -> None:
        load_weights(self.main.network, folder / MAIN)
        load_weights(self.phi.network, folder / GENERATOR)
        kept: dict[str, Any] = orjson.loads((folder / NAMES).read_bytes())
        self.main.scoring, self.main.max_length = kept["scoring"], kept["max_length"]
        if kept["names"] is None:
            return
        made = identifiers_of(kept["names"], self.writing, like=self.catalogue.identifiers)
        settings = {**made.settings, RENAMED: kept["renamed"]}
        made = replace(made, version=kept["version"], settings=settings)
        self.catalogue = replace(self.catalogue, identifiers=made)

    def _identity(self) -> str:
        """Hash of all that the training starts from."""
        start = [self.trainer.identity(), self.context.seed, self.catalogue.identifiers.digest]
        body = hashlib.sha256(orjson.dumps(start))
        for model in (self.main, self.phi):
            for name, value in sorted(model.network.state_dict().items()):
                body.update(name.encode())
                body.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return body.hexdigest()
