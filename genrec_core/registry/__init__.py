"""Plugins: finding them, and turning `plugin/name` into components."""
