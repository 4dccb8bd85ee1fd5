"""Models: a network with its text tokenizer, made small from a config, pretrained, or read from GGUF."""
