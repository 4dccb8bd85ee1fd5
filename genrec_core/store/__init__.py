"""The store: artefacts found by what they were made from, whole or not there at all."""
