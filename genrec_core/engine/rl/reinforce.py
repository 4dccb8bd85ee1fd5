"""Reinforcement learning on groups of rollouts, selected on validation, resumable to the same result.

What a trainer decides is in `RolloutTask` (corpora, rewards, how groups are made) and `GRPOSettings`; here
the parts are put together: prompts and the plan of rounds, the policy that writes and is scored, the
reference, validation and the loop. A killed run continues from its newest whole checkpoint in the workspace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.reward import Reward
from genrec_core.contracts.trainer import Trained
from genrec_core.contracts.views import Training
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.models.loading import quiet
from genrec_core.engine.models.model import Model
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.loop import GRPOLoop, GRPOParts
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.prompts import PromptPlan, answerable, plan_prompts
from genrec_core.engine.rl.rewards import RewardMixer
from genrec_core.engine.rl.rollouts import RegenerationRule
from genrec_core.engine.rl.rounds import Rounds
from genrec_core.engine.rl.settings import GRPOSettings
from genrec_core.engine.rl.strategies import RolloutStrategy, Thinking
from genrec_core.engine.rl.trl_seam import frozen_copy, grpo_arguments
from genrec_core.engine.training.arithmetic import chosen_precision
from genrec_core.engine.training.checkpoints import resumable, work_folder
from genrec_core.engine.training.validation import SearchValidation, evenly


@dataclass(frozen=True)
class RolloutTask:
    """What a trainer decides.

    Attributes:
        corpora: where prompts come from, mixed by their weight; the first is validated on.
        rewards: what scores a group.
        weights: one for each reward; empty for 1 each.
        strategy: how groups come about.
        regenerate: which prompts are generated again.
        temperature: of the policy.
        identity: JSON values that name everything the result depends on besides data and seed.
    """

    corpora: tuple[Corpus, ...]
    rewards: tuple[Reward, ...]
    weights: tuple[float, ...]
    strategy: RolloutStrategy
    regenerate: RegenerationRule
    temperature: float
    identity: Mapping[str, Any]


@dataclass(frozen=True)
class _Given:
    """Everything a run is given."""

    model: Model
    catalogue: Catalogue
    training: Training
    task: RolloutTask
    settings: GRPOSettings
    context: Context


def reinforce(
    model: Model,
    catalogue: Catalogue,
    training: Training,
    task: RolloutTask,
    settings: GRPOSettings,
    context: Context,
) -> Trained:
    """Train a model by its rollouts, in place.

    Args:
        model: where training starts, and the reference; its network is changed.
        catalogue: items and identifiers.
        training: the views to learn from and to select by.
        task: see `RolloutTask`.
        settings: see `GRPOSettings`.
        context: its workspace keeps checkpoints; without one nothing survives a kill.

    Returns:
        The model with the best weights by validation, those of the start among them, and the curves.

    Raises:
        GenrecError: there is nothing to answer or to select by, or an encoder-decoder model is to think.
        StageError: a loss or a reward is not a number.
    """
    precision = chosen_precision(settings.precision, model.device, context)
    settings = settings.model_copy(update={"precision": precision})
    given = _Given(model, catalogue, training, task, settings, context)
    _check(given)
    parts = _parts(given, _prompts(given))
    prompts, policy = parts.rounds.prompts, parts.rounds.policy
    valid = len(parts.validation.samples)
    context.log("prompts", samples=len(prompts.samples), rounds=len(prompts.rounds), valid=valid)
    with work_folder(context) as folder:
        loop = _run(given, parts, folder)
    tracker, counts = loop.tracker, loop.tracker.counts
    if shortened := policy.decoder.renderer.shortened:
        context.log("shortened", **shortened)
    context.log(
        "cost",
        steps=loop.state.global_step,
        samples=counts.get("rollouts", 0),
        tokens=counts.get("tokens", 0),
    )
    context.log("kept", step=tracker.best_step, **{settings.metric: tracker.best_value})
    return Trained({"main": model}, curves=tracker.curves)


def _check(given: _Given) -> None:
    if given.model.family == "seq2seq" and isinstance(given.task.strategy, Thinking):
        raise GenrecError(
            "an encoder-decoder model cannot be trained with `rollout: think`: it writes answers only",
            hint="use `rollout: beam`, or a causal model",
        )
    if not given.task.corpora:
        raise GenrecError(
            "there is nothing to answer: `corpora` is empty", hint="corpora: [{use: core/next-item}]"
        )
    if not len(given.training.valid):
        raise GenrecError(
            "there are no validation rows, and nothing else says whether rewards made the model worse",
            hint="use a split that keeps validation rows",
        )


def _prompts(given: _Given) -> PromptPlan:
    settings, corpora = given.settings, given.task.corpora
    view, catalogue, context = given.training.train, given.catalogue, given.context
    tables = [answerable(corpus, view, catalogue, context) for corpus in corpora]
    most = -(-settings.max_steps // settings.updates) if settings.max_steps else None
    return plan_prompts(
        tables,
        [corpus.options.weight for corpus in corpora],
        epochs=settings.epochs,
        prompts=settings.prompts,
        most=most,
        seed=context.seed,
    )


def _parts(given: _Given, prompts: PromptPlan) -> GRPOParts:
    model, task, settings = given.model, given.task, given.settings
    scoring = settings.policy or model.scoring
    policy = Policy(model, given.catalogue, scoring, task.temperature, settings.batch_tokens)
    constraints = [policy.decoder.constraint(form) for form in prompts.forms]

    def scorer(network: Any) -> TreeScorer:
        return TreeScorer(network, constraints, scoring, task.temperature, settings.batch_tokens)

    return GRPOParts(
        rounds=Rounds(
            prompts=prompts,
            policy=policy,
            strategy=task.strategy,
            regenerate=task.regenerate,
            mixer=RewardMixer(task.rewards, task.weights),
            std=settings.std,
            context=given.context,
        ),
        validation=_validation(given),
        scorer=scorer(model.network),
        reference=scorer(frozen_copy(model.network)) if settings.beta else None,
    )


def _validation(given: _Given) -> SearchValidation:
    """A fixed, even choice of the first corpus' validation rows."""
    settings, model = given.settings, given.model
    first, view = given.task.corpora[0], given.training.valid
    rows = answerable(first, view, given.catalogue, given.context)
    rows = [rows[place] for place in evenly(len(rows), settings.valid_samples)]
    searching = DecoderSettings(settings.valid_beams, "beam", model.scoring, settings.batch_tokens)
    strategy = given.task.strategy
    # Whoever is trained to think is selected by what is recommended behind its greedy thoughts.
    thinking = strategy.settings() if isinstance(strategy, Thinking) else None
    return SearchValidation(rows, Decoder(model, given.catalogue, searching), thinking)


def _run(given: _Given, parts: GRPOParts, folder: Path) -> GRPOLoop:
    """Run or resume the loop and leave the best weights in the model."""
    model, settings, context = given.model, given.settings, given.context
    rounds = parts.rounds
    longest = rounds.strategy.longest(rounds.policy, rounds.prompts.forms)
    identity = _identity(given, parts)
    checkpoint, tracker = resumable(folder, identity, settings.patience, context, needs_best=True)
    arguments = grpo_arguments(
        settings, seed=context.seed, folder=folder, device=model.device, longest=longest
    )
    with quiet():
        loop = GRPOLoop(
            model,
            parts,
            settings,
            context,
            folder=folder,
            identity=identity,
            tracker=tracker,
            args=arguments,
        )
        try:
            loop.run(checkpoint)
            loop.load_best()
        finally:
            loop.restore()
    model.network.eval()
    return loop


def _identity(given: _Given, parts: GRPOParts) -> str:
    """Hash of what is trained on what: a checkpoint of another run must not be continued."""
    shapes = [[name, list(value.shape)] for name, value in given.model.network.named_parameters()]
    described = {
        "task": given.task.identity,
        "seed": given.context.seed,
        "shapes": shapes,
        "scoring": given.model.scoring,
        "prompts": parts.rounds.prompts.digest,
        "valid": hashlib.sha256(repr(parts.validation.samples).encode()).hexdigest(),
        "identifiers": given.catalogue.identifiers.digest,
    }
    return hashlib.sha256(orjson.dumps(described)).hexdigest()
