"""SINGER: full-process SID alignment and SID-navigated reinforcement learning.

The modules: `tasks` are what both stages train on, `curriculum` says how much of an answer a hard prompt is
told, `reward` judges the answers, `plugin` registers all of it.
"""
