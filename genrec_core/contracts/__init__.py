"""The kinds of component, and the plain data they exchange. Imports nothing else of ours."""
