"""What can be done with identifiers: keep them, examine their health, compile them into tries."""
