"""Rendering: samples to token ids, the same bytes in training, reinforcement learning and evaluation."""
