"""Refit: a finished run's pipeline once more, with validation rows as training rows and every choice fixed.

    chosen by the run                            written into the new pipeline
    train.sft     best at step 1,472      →      train.sft.max_steps=1472, keep last
    recommend     weights 1, 2            →      recommend.weights=[1, 2]
    data.split    core/leave-one-out      →      core/with-validation around it

Everything stands in the new run's `pipeline.yaml`; only what cannot be fixed is refused, and baselines that
need validation rows to stop are left out of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.component import Component, components_in
from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.artifacts import CURVES, TUNED
from genrec_core.pipeline.graph import TUNE
from genrec_core.pipeline.load import Pipeline, load_pipeline
from genrec_core.pipeline.run_folder import PIPELINE
from genrec_core.pipeline.run_reader import RunReader
from genrec_core.registry.registry import Registry

SPLIT = "core/with-validation"


@dataclass(frozen=True)
class Refit:
    """A pipeline to refit with.

    Attributes:
        pipeline: checked, ready to run.
        changes: what differs from the run's own file, as `--set` writes it.
        left_out: baselines of the run's table that cannot be fitted without validation rows.
    """

    pipeline: Pipeline
    changes: tuple[str, ...]
    left_out: tuple[str, ...]


def refit_of(opened: RunReader, registry: Registry) -> Refit:
    """The pipeline that fits a finished run's systems once more.

    Raises:
        GenrecError: the run is a refit already, or something that was chosen in it cannot be fixed.
    """
    spec = opened.pipeline.spec
    if spec.data.split.name == SPLIT:
        raise GenrecError(f"`{opened.folder}` was trained on its validation rows already")
    values: dict[str, Any] = {
        "name": f"{spec.name[:58]}-refit",
        "data.split": {"use": SPLIT, "split": spec.data.split.described()},
        "evaluate.valid": False,
    }
    for name, step in spec.train.items():
        curves = orjson.loads((opened.artefact(f"train.{name}") / CURVES).read_bytes())
        fixed = step.trainer.refit_options(curves)
        if fixed is None:
            raise GenrecError(
                f"the trainer `{step.trainer.name}` of the step `{name}` cannot say for how long it trained, "
                "so it cannot do the same without validation rows",
                hint="only trainers with `refit_options`, such as core/sft, can be refitted",
            )
        values |= {f"train.{name}.{option}": value for option, value in fixed.items()}
    if spec.recommend.undecided():
        chosen = orjson.loads((opened.artefact(TUNE) / TUNED).read_bytes())
        values |= {f"recommend.{option}": value for option, value in chosen.items()}
    kept = [one for one in spec.evaluate.baselines if not _selects(one)]
    values["evaluate.baselines"] = [one.described() for one in kept]
    needing = [one.name for part in (spec.tokenizer, spec.recommend) for one in _parts(part) if _selects(one)]
    if needing:
        raise GenrecError(
            f"baseline `{needing[0]}` stops by validation rows, so what reads it cannot be refitted"
        )
    changes = tuple(f"{path}={orjson.dumps(value).decode()}" for path, value in values.items())
    pipeline = load_pipeline(opened.folder / PIPELINE, registry, changes)
    left_out = tuple(one.name for one in spec.evaluate.baselines if _selects(one))
    return Refit(pipeline, changes, left_out)


def _parts(component: Component) -> list[Component]:
    return [one for _, one in components_in(component)]


def _selects(component: Component) -> bool:
    return isinstance(component, Baseline) and any(
        isinstance(one, Baseline) and one.selects for one in _parts(component)
    )
