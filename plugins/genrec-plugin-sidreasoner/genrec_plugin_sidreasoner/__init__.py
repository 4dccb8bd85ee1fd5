"""SIDReasoner for GenRec: alignment of SIDs and language on enriched text, then reasoning taught by outcomes.

align      tasks between SIDs and titles, enrichment written by a teacher, general reasoning data
activate   a teacher's monologue in a thought, then the SID
reinforce  sampled thoughts with SIDs behind them, rewarded by how far each SID is right
"""
