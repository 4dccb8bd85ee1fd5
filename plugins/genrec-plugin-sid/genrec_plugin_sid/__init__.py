"""Semantic IDs (SIDs): items named by the codes of a residual quantiser.

The modules, from arithmetic to component: `kmeans` clusters vectors, `residual` stacks levels of clusters,
`collisions` tells apart items that got the same codes, `naming` writes codes as tokens, `rq_kmeans` is the
tokenizer that joins them, `plugin` registers it.
"""
