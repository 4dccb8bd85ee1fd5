"""Fine-tuning on rendered samples, selected on validation, resumable to the bit.

All batches of a run are planned beforehand (`dataset`), the loss is computed on learnt tokens only (`loss`),
and checkpoints are ours (`trainer_seam`), so that what is left for transformers' Trainer is its loop:
accumulation, clipping, mixed precision, devices. A run that was killed continues from its newest
whole checkpoint in the workspace and ends with the very weights of an uninterrupted one.

With `dense`, a softmax over items is learnt beside the tokens of identifiers (`dense_loss`).

Selection reads the validation loss of the first corpus alone: it is the task the model is for; other
corpora (titles, descriptions) often have no validation rows of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import torch
from transformers import TrainingArguments

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.trainer import Trained
from genrec_core.contracts.views import Training
from genrec_core.engine.baselines.cooccurrence import cooccurrence_vectors
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.dense_head import DenseHead, attach
from genrec_core.engine.models.freezing import training_only
from genrec_core.engine.models.layers import float32_attention, recomputed_blocks
from genrec_core.engine.models.loading import quiet
from genrec_core.engine.models.model import Model
from genrec_core.engine.models.reading_by_item import item_positions
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.arithmetic import chosen_precision
from genrec_core.engine.training.batch_plan import BatchPlan, Mixture, plan_batches
from genrec_core.engine.training.checkpoints import resumable, work_folder
from genrec_core.engine.training.dense_loss import DenseLoss
from genrec_core.engine.training.loop import SFTLoop, SFTParts
from genrec_core.engine.training.loss import LegalLoss
from genrec_core.engine.training.sample_table import SampleTable, rendered_table
from genrec_core.engine.training.settings import DenseSettings, SFTSettings
from genrec_core.engine.training.teaching import TrieTeacher, expected_items
from genrec_core.engine.training.trainer_seam import loop_arguments
from genrec_core.engine.training.validation import SearchValidation, evenly
from genrec_core.identifiers.trie import Trie

_NEAR = 10
"""Largest distance of two items that count as near each other where rows start from co-occurrence."""
_VECTORS = 12
"""Purpose of the generator that starts the factorisation."""


def finetune(
    model: Model,
    catalogue: Catalogue,
    training: Training,
    corpora: Sequence[Corpus],
    settings: SFTSettings,
    context: Context,
) -> Trained:
    """Train a model on corpora, in place.

    Args:
        model: where training starts; its network is changed.
        catalogue: items and identifiers.
        training: the views to learn from and to select by.
        corpora: tasks, mixed by their `weight`; the first is validated on.
        settings: see `SFTSettings`.
        context: its workspace keeps checkpoints; without one nothing survives a kill.

    Returns:
        The model with the best (or last) weights, and the curves `train loss` and `valid loss` by step.

    Raises:
        GenrecError: there is nothing to learn.
        StageError: the loss became infinite.
    """
    precision = chosen_precision(settings.precision, model.device, context)
    settings = settings.model_copy(update={"precision": precision})
    model.max_length = settings.max_length or model.max_length
    renderer = Renderer(model, catalogue)
    model.scoring = settings.scoring
    tries = AnswerTries(renderer) if settings.scoring == "legal" else None
    questions: list[tuple[int, ...]] | None = [] if settings.teacher else None
    mixture = _mixture(corpora, training, renderer, tries, questions, settings, context)
    valid = _validation(corpora[0], training, renderer, tries, settings, context)
    context.log("rendered", samples=len(mixture.table), valid=len(valid), **dict(renderer.shortened))
    plan = plan_batches(
        mixture,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        tokens=settings.tokens_per_batch,
        accumulation=settings.accumulation,
        seed=context.seed,
    )
    if settings.max_steps is not None:
        plan = plan.first(settings.max_steps)
    legal, teacher = None, None
    if tries:
        teacher = _teacher(tries.trie, questions, catalogue, training, settings, context)
        legal = LegalLoss(tries.trie, OutputHead(model.network), teacher)
    dense = _dense_loss(model, renderer, training, settings.dense, teacher, context)
    with work_folder(context) as folder:
        ranking = None
        if settings.select_by != "loss" and len(training.valid):
            ranking = _ranking(model, catalogue, training, corpora[0], settings, context)
        parts = SFTParts(mixture.table, valid, plan, legal, ranking, dense)
        loop = _trained(model, catalogue, parts, settings, context, folder)
    # accelerate leaves its mixed-precision forward on the network; whoever gets the model needs its own.
    loop.accelerator.unwrap_model(loop.model, keep_fp32_wrapper=False)
    _log_cost(loop.state.global_step, plan, mixture.table, context)
    return Trained({"main": model}, curves=loop.tracker.curves)


def _log_cost(steps: int, plan: BatchPlan, table: SampleTable, context: Context) -> None:
    """Tokens and samples of the steps that were made."""
    done = plan.batches[: steps * plan.accumulation]
    tokens = int(sum(table.lengths[rows].sum() for rows in done))
    context.log("cost", tokens=tokens, samples=sum(map(len, done)), steps=steps)


def _mixture(
    corpora: Sequence[Corpus],
    training: Training,
    renderer: Renderer,
    tries: AnswerTries | None,
    questions: list[tuple[int, ...]] | None,
    settings: SFTSettings,
    context: Context,
) -> Mixture:
    """The training mixture; what a teacher is to be asked about it is added to `questions`."""
    if not corpora:
        raise GenrecError(
            "there is nothing to learn: `corpora` is empty", hint="corpora: [{use: core/next-item}]"
        )
    tables = []
    for corpus in corpora:
        samples = corpus.samples(training.train, renderer.catalogue, context)
        table = rendered_table(
            samples, renderer, context, corpus.name, tries, questions, dense=settings.dense is not None
        )
        if not table.learn.any():
            raise GenrecError(
                f"corpus `{corpus.name}` gave {len(table):,} samples with nothing to learn in them",
                hint="check that the training view has users with two items, or remove the corpus",
            )
        tables.append(table)
    return Mixture.of(tables, [corpus.options.weight for corpus in corpora])


def _validation(
    corpus: Corpus,
    training: Training,
    renderer: Renderer,
    tries: AnswerTries | None,
    settings: SFTSettings,
    context: Context,
) -> SampleTable:
    """The first corpus' validation samples."""
    samples = corpus.samples(training.valid, renderer.catalogue, context) if len(training.valid) else iter(())
    valid = rendered_table(samples, renderer, context, f"{corpus.name} (validation)", tries)
    if len(valid) > settings.valid_samples:
        valid = valid.subset(np.asarray(evenly(len(valid), settings.valid_samples)))
    return valid


def _teacher(
    trie: Trie,
    questions: Sequence[tuple[int, ...]] | None,
    catalogue: Catalogue,
    training: Training,
    settings: SFTSettings,
    context: Context,
) -> TrieTeacher | None:
    """What the teacher expects behind every history of the training samples; None without a teacher."""
    if settings.teacher is None or not questions:
        return None
    newest = training.train.max_history
    cut = [history[max(0, len(history) - newest) :] for history in questions]
    state = context.fitted(settings.teacher, catalogue.items, training)
    with settings.teacher.open(state, catalogue.items, context) as session:
        items, shares = expected_items(
            session, cut, settings.teacher_items, settings.teacher_temperature, context
        )
    return TrieTeacher(trie, items, shares, settings.teacher_weight)


def _dense_loss(
    model: Model,
    renderer: Renderer,
    training: Training,
    settings: DenseSettings | None,
    teacher: TrieTeacher | None,
    context: Context,
) -> DenseLoss | None:
    """The loss of the model's dense head, which it gets now unless an earlier step gave it one."""
    if settings is None:
        return None
    identifiers, catalogue = renderer.answer_ids(), renderer.catalogue
    if model.dense is None:
        width = int(model.network.get_output_embeddings().weight.shape[1])
        vectors = None
        if settings.start == "co-occurrence":
            draws = context.generator(_VECTORS).standard_normal(len(catalogue.items))
            vectors = cooccurrence_vectors(training.train, len(catalogue.items), width, _NEAR, draws)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        further = model.token_ids(catalogue.identifiers.new_tokens)
        attach(model.network, DenseHead.started(identifiers, further, width, context.seed, vectors))
        items = item_positions(model.network)
        if items is not None and vectors is not None:
            items.start_from(vectors, identifiers, model.network.get_input_embeddings().weight)
    assert model.dense is not None
    written = model.dense.written(identifiers)
    return DenseLoss(model.dense, written, settings.negatives, settings.weight, teacher)


def _ranking(
    model: Model,
    catalogue: Catalogue,
    training: Training,
    corpus: Corpus,
    settings: SFTSettings,
    context: Context,
) -> SearchValidation:
    """The first corpus' validation samples, to be searched.

    Raises:
        GenrecError: its answers cannot be searched for.
    """
    samples = list(corpus.samples(training.valid, catalogue, context))
    if any(sample.target is None or not sample.answer_form for sample in samples):
        raise GenrecError(
            f"corpus `{corpus.name}` has answers that are no items, so there is no `{settings.select_by}` to "
            "select by",
            hint="write `select_by: loss`, or put the corpus that recommends first",
        )
    samples = [samples[row] for row in evenly(len(samples), settings.valid_samples)]
    searched = DecoderSettings(scoring=settings.scoring, dense=float(settings.dense is not None))
    decoder = Decoder(model, catalogue, searched)
    for form, stop_text in dict.fromkeys((sample.answer_form, sample.stop_text) for sample in samples):
        decoder.constraint(form, stop_text)  # what cannot be searched for is said before training
    return SearchValidation(samples, decoder)


def _trained(
    model: Model, catalogue: Catalogue, parts: SFTParts, settings: SFTSettings, context: Context, folder: Path
) -> SFTLoop:
    """Run or resume the loop and leave the chosen weights in the model."""
    identity = _identity(model, parts, settings, context.seed)
    checkpoint, tracker = resumable(
        folder, identity, settings.patience, context, needs_best=settings.keep == "best"
    )
    new_ids = model.token_ids(catalogue.identifiers.new_tokens) if settings.trainable != "all" else []
    frozen = training_only(model.network, settings.trainable, new_ids, settings.adapters, context.seed)
    use_cache = model.network.config.use_cache
    slow = settings.precision == "bfloat16" and model.device.type == "cpu"
    attention = float32_attention(model.network) if slow else contextlib.nullcontext()
    blocks = recomputed_blocks(model.network) if settings.gradient_checkpointing else contextlib.nullcontext()
    with quiet(), attention, blocks, frozen as rows:
        loop = SFTLoop(
            model,
            parts,
            settings,
            context,
            rows=rows,
            folder=folder,
            identity=identity,
            tracker=tracker,
            args=_arguments(settings, context.seed, folder, model.device),
        )
        loop.run(checkpoint)
        if loop.keeps_best and tracker.best_step:
            loop.load_best()
    model.network.config.use_cache = use_cache
    model.network.eval()
    return loop


def _arguments(settings: SFTSettings, seed: int, folder: Path, device: torch.device) -> TrainingArguments:
    return TrainingArguments(
        **loop_arguments(settings, seed, folder, device),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=settings.accumulation,
    )


def _identity(model: Model, parts: SFTParts, settings: SFTSettings, seed: int) -> str:
    """Hash of what is trained on what: a checkpoint of another run must not be continued."""
    operational = {"checkpoint_minutes", "gradient_checkpointing"}
    described = {
        "settings": settings.model_dump(mode="json", exclude=operational),
        "seed": seed,
        "shapes": [[name, list(value.shape)] for name, value in model.network.named_parameters()],
        "data": [parts.table.digest, parts.valid.digest],
        "batches": len(parts.plan.batches),
    }
    return hashlib.sha256(orjson.dumps(described)).hexdigest()
