"""Trackers: observers that hand a run's figures to a program that draws them.

- `figures`: what a tracker is given of an event: scalars by name, and settings as flat text.
- `tensorboard`, `mlflow`, `wandb`: one tracker each; the library is imported when a run starts.
"""
