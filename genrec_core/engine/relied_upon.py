"""What of other packages' inside the engine relies on: private names, each with the parameters it had.

Everything else that the engine calls in transformers and TRL is public. An upgrade may rename a private
method without a word, and a method of ours that replaces it would then never be called. So every one of them
stands here, and `tests/engine/test_relied_upon.py` fails by its name when it is gone or changed.

    "transformers.Trainer._save_checkpoint": ("self", "model", "trial")

Whoever relies on another private name adds a line here.
"""

from __future__ import annotations

RELIED_UPON: dict[str, tuple[str, ...]] = {
    # Replaced in engine/training/trainer_seam.py: checkpoints and the loss's denominator are ours.
    "transformers.Trainer._save_checkpoint": ("self", "model", "trial"),
    "transformers.Trainer._load_from_checkpoint": ("self", "resume_from_checkpoint", "model"),
    "transformers.Trainer._load_optimizer_and_scheduler": ("self", "checkpoint"),
    "transformers.Trainer._load_rng_state": ("self", "checkpoint"),
    "transformers.Trainer._get_num_items_in_batch": ("self", "batch_samples", "device"),
    # Called there: inputs go to the device of the model.
    "transformers.Trainer._prepare_inputs": ("self", "inputs"),
    # Replaced or called in engine/rl/trl_seam.py: rounds, log-probabilities and checkpoints are ours.
    "trl.GRPOTrainer._prepare_inputs": ("self", "generation_batch"),
    "trl.GRPOTrainer._compute_loss": ("self", "model", "inputs"),
    "trl.GRPOTrainer._get_per_token_logps_and_entropies": (
        "self", "model", "input_ids", "attention_mask", "logits_to_keep", "batch_size", "compute_entropy",
        "compute_aux_loss", "pixel_values", "image_grid_thw", "num_images", "pixel_attention_mask",
        "spatial_shapes", "num_tiles", "image_sizes", "token_type_ids", "mm_token_type_ids",
        "image_position_ids",
    ),
    "trl.GRPOTrainer.training_step": ("self", "model", "inputs", "num_items_in_batch"),
    "trl.GRPOTrainer._save_checkpoint": ("self", "model", "trial"),
    "trl.GRPOTrainer._load_optimizer_and_scheduler": ("self", "checkpoint"),
}  # fmt: skip
"""`package.Class.method` → its parameters when this was written."""

READ_BY_THE_GRPO_LOSS = (
    "prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages", "old_per_token_logps",
    "ref_per_token_logps", "num_items_in_batch",
)  # fmt: skip
"""Entries of its inputs that the loss of TRL's GRPOTrainer reads and `engine/rl/trl_seam.py` gives."""
