"""Semantic IDs (SIDs): items named by the codes of a residual quantiser.

`semantic_ids` is what every tokenizer here shares: embed, quantise, tell apart (`collisions`), write codes as
tokens (`naming`). `quantiser` says what a quantiser is and `residual` encodes with one. The tokenizers differ
in how codebooks are learnt: `rq_kmeans` clusters residuals (`kmeans`, `balanced`), `rq_vae` trains them
together with an autoencoder (`rq_vae_training`, `autoencoder`, `residual_codebooks`, `codebook_upkeep`).
"""
