"""Data: the folder format, importing, cutting into views, and the protocol a result stands under."""
