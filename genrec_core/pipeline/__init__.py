"""The pipeline: a YAML file to a strict spec, to a plan of stages with reasons, to a run and its folder."""
