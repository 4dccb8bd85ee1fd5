"""What can be done with identifiers: keep them, judge their health, compile them into tries."""
