"""The kinds of stage: what each reads, what it writes into its artefact, and what its fingerprint holds."""
