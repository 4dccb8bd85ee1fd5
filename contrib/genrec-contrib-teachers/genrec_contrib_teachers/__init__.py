"""Teachers behind servers, for GenRec."""
