"""SINGER: full-process SID alignment and SID-navigated reinforcement learning.

The modules: `tasks` are what both stages train on, `curriculum` says how much of an answer a hard prompt is
given, `reward` scores the answers, `plugin` registers all of it.
"""
