"""Recommendations by RecTools' SASRec, run by an interpreter that has `rectools[torch]` and nothing of ours.

    python rectools_recommend.py ROWS.json K LENGTH      # prints {"seconds": ..., "processor": ...}

`ROWS.json` holds one list of item numbers a user, oldest first. The model is fitted for one epoch: its speed
does not depend on its weights.
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def table(rows: list[list[int]]) -> pd.DataFrame:
    """Interactions in RecTools' form."""
    return pd.DataFrame(
        [
            (user, item, 1.0, pd.Timestamp(2020, 1, 1) + pd.Timedelta(seconds=place))
            for user, row in enumerate(rows)
            for place, item in enumerate(row)
        ],
        columns=["user_id", "item_id", "weight", "datetime"],
    )


def main() -> None:
    """Fit, then measure one call for all users."""
    rows = json.loads(Path(sys.argv[1]).read_text())
    dataset = Dataset.construct(table(rows))
    model = SASRecModel(
        n_factors=128, n_blocks=2, n_heads=2, session_max_len=int(sys.argv[3]), batch_size=128,
        loss="gBCE", n_negatives=16, epochs=1, verbose=0,
    )  # fmt: skip
    model.fit(dataset)
    users = dataset.user_id_map.external_ids
    begin = time.perf_counter(), time.process_time()
    found = model.recommend(users=users, dataset=dataset, k=int(sys.argv[2]), filter_viewed=True)
    seconds, processor = time.perf_counter() - begin[0], time.process_time() - begin[1]
    assert len(found) == len(users) * int(sys.argv[2]), len(found)
    print(json.dumps({"seconds": seconds, "processor": processor}))


if __name__ == "__main__":
    main()
