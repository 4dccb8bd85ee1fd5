"""Reinforcement learning: rollouts from the decoding engine, rewards on groups, losses from TRL."""
