"""One epoch of RecTools' SASRec, run by an interpreter that has `rectools[torch]` and nothing of ours.

    python rectools_epoch.py ROWS.json LENGTH      # prints {"seconds": ...}

`ROWS.json` holds one list of item numbers a user, oldest first.
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def main() -> None:
    """Fit for one epoch; its preparation, a second or two, is part of the figure as it is of ours."""
    rows = json.loads(Path(sys.argv[1]).read_text())
    table = pd.DataFrame(
        [
            (user, item, 1.0, pd.Timestamp(2020, 1, 1) + pd.Timedelta(seconds=place))
            for user, row in enumerate(rows)
            for place, item in enumerate(row)
        ],
        columns=["user_id", "item_id", "weight", "datetime"],
    )
    dataset = Dataset.construct(table)
    model = SASRecModel(
        n_factors=128,
        n_blocks=2,
        n_heads=2,
        session_max_len=int(sys.argv[2]),
        batch_size=128,
        loss="softmax",
        epochs=1,
        verbose=0,
    )
    begin = time.perf_counter()
    model.fit(dataset)
    print(json.dumps({"seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
