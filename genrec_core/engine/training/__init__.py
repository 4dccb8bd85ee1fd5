"""Training: rendered samples to batches, the loss on learnt tokens, fine-tuning that survives a kill."""
