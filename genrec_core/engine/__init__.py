"""Language models: making them, writing samples for them, training them, decoding from them.

The only part of the core that imports torch and transformers. It needs the `engine` extra
(`pip install genrec-core[engine]`); nothing below it does.
"""
