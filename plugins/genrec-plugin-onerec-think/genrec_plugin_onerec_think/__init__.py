"""OneRec-Think: itemic alignment, thoughts before items, and thinking ahead of time.

The modules: `persona`, `captions` and `general_text` align item tokens with words; `next_item` is the prompt
that every stage shares; `rationales` are what a model learns to think, `activation` and `enhancement` train
it to; `rewards` score thoughts; `think` recommends with them; `think_ahead` and `store` let them be written
before anybody asks. `plugin` registers all of it.
"""
