"""Files that stand in every exported folder as they are."""
