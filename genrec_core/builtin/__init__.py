"""The core's own components and commands, registered through the same hook as anyone's.

Every class is named lazily: listing plugins imports none of these modules, and so neither torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrec_core.registry.discovery import hookimpl

if TYPE_CHECKING:
    from genrec_core.registry.registry import Registry


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register everything under `core/`, and the commands."""
    registry.source("folder", "genrec_core.builtin.folder:Folder")
    registry.source("synthetic", "genrec_core.builtin.synthetic:Synthetic")
    registry.source("merged", "genrec_core.builtin.merged:Merged")
    registry.split("leave-one-out", "genrec_core.builtin.leave_one_out:LeaveOneOut")
    registry.split("temporal", "genrec_core.builtin.temporal:Temporal")
    registry.split("rows", "genrec_core.builtin.explicit_rows:ExplicitRows")
    registry.split("domain-last", "genrec_core.builtin.leave_one_out:DomainLast")
    registry.split("hide-items", "genrec_core.builtin.hide_items:HideItems")
    registry.split("with-validation", "genrec_core.builtin.with_validation:WithValidation")
    registry.split("random-ties", "genrec_core.builtin.random_ties:RandomTies")
    registry.encoder("ngrams", "genrec_core.builtin.ngrams:NGrams")
    registry.encoder("sentence", "genrec_core.builtin.sentence:Sentence")
    registry.encoder("vectors", "genrec_core.builtin.vectors:Vectors")
    registry.teacher("local-teacher", "genrec_core.builtin.local_teacher:LocalTeacher")
    registry.teacher("slot-teacher", "genrec_core.builtin.local_teacher:SlotTeacher")
    registry.tokenizer("given", "genrec_core.builtin.given:Given")
    registry.backbone("tiny-causal", "genrec_core.builtin.tiny_backbones:TinyCausal")
    registry.backbone("tiny-seq2seq", "genrec_core.builtin.tiny_backbones:TinySeq2Seq")
    registry.backbone("pretrained", "genrec_core.builtin.pretrained:Pretrained")
    registry.backbone("gguf", "genrec_core.builtin.pretrained:Gguf")
    registry.corpus("next-item", "genrec_core.builtin.next_item:NextItem")
    registry.trainer("sft", "genrec_core.builtin.sft:SFT")
    registry.trainer("grpo", "genrec_core.builtin.grpo:GRPO")
    registry.loss("smoothed", "genrec_core.builtin.losses:Smoothed")
    registry.loss("focal", "genrec_core.builtin.losses:Focal")
    registry.loss("beam-aware", "genrec_core.builtin.losses:BeamAware")
    registry.reward("hit", "genrec_core.builtin.hit:Hit")
    registry.recommender("beam", "genrec_core.builtin.beam:Beam")
    registry.recommender("think", "genrec_core.builtin.think:Think")
    registry.recommender("free-beam", "genrec_core.builtin.free_beam:FreeBeam")
    registry.recommender("dense", "genrec_core.builtin.dense:Dense")
    registry.recommender("fused", "genrec_core.builtin.fused:Fused")
    registry.grounder("exact", "genrec_core.builtin.exact:Exact")
    registry.grounder("rules", "genrec_core.builtin.rules:BusinessRules")
    registry.baseline("popular", "genrec_core.builtin.popular:Popular")
    registry.baseline("transitions", "genrec_core.builtin.transitions:Transitions")
    registry.baseline("repeats", "genrec_core.builtin.repeats:Repeats")
    registry.baseline("item-knn", "genrec_core.builtin.item_knn:ItemKNN")
    registry.baseline("sasrec", "genrec_core.builtin.sasrec:SASRec")
    registry.baseline("oracle", "genrec_core.builtin.oracle:Oracle")
    _commands(registry)


def _commands(registry: Registry) -> None:
    """The commands, in the order in which one meets them."""
    registry.command(
        "run", "genrec_core.cli.run:run", "Run a pipeline; reuse every stage whose inputs are unchanged."
    )
    registry.command(
        "check", "genrec_core.cli.run:check", "Say what is wrong with a pipeline before anything runs."
    )
    registry.command(
        "plugins", "genrec_core.cli.show:plugins", "List plugins: components, versions, what is broken."
    )
    registry.command(
        "show", "genrec_core.cli.show:show", "Show a component's options with types, defaults and docs."
    )
    registry.command(
        "refit", "genrec_core.cli.refit:refit", "Train a run's systems again, on validation rows too."
    )
    registry.command("data", "genrec_core.cli.data:data", "Import and check your own data.")
    registry.command("doctor", "genrec_core.cli.doctor:doctor", "Examine the identifiers of a run.")
    registry.command(
        "recommend", "genrec_core.cli.recommend:recommend", "Recommend items after a history, by a run."
    )
    registry.command("items", "genrec_core.cli.items:items", "Add new items to a run; nothing is trained.")
    registry.command(
        "compare", "genrec_core.cli.compare:compare", "Compare runs: metrics with intervals, protocols."
    )
    registry.command("bundle", "genrec_core.cli.bundle:bundle", "Put a run into one file, for elsewhere.")
    registry.command("unbundle", "genrec_core.cli.bundle:unbundle", "Unpack such a file and verify it.")
    registry.command(
        "store", "genrec_core.cli.store:store", "Show what a store holds; prune what no run needs."
    )
    registry.command(
        "explain-error", "genrec_core.cli.explanations:explain_error", "Say more about an error message."
    )
    registry.command("new", "genrec_core.cli.new:new", "Start a pipeline that fits your data, or a plugin.")
    registry.command(
        "check-plugin", "genrec_core.cli.check_plugin:check_plugin", "Run the contract kit on a plugin."
    )
