"""The Python interface: pipelines run, finished runs opened and asked, tables in and out.

    import genrec_core as genrec

    run = genrec.run("pipeline.yaml", set={"train.sft.epochs": 3})
    run.recommend([["1001", "1007"]], k=5, only={"brand": "Zorg"})

Everything a user needs is a name of `genrec_core`; `docs/python.md` is the page about it.
"""
