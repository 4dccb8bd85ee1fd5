"""The doctor: identifiers examined beside the texts and embeddings they came from."""
