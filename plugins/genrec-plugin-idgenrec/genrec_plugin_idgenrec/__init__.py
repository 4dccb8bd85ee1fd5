"""IDGenRec for GenRec: textual identifiers that are learnt together with the recommender."""
