"""GRLM: items named by ordered tuples of plain words, and what is trained and grounded with them."""
