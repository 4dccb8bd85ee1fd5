"""Several processes are refused before anything is read, made or written."""

import pytest

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.run import run_pipeline


@pytest.mark.parametrize("size", ["2", "8"])
def test_a_launcher_of_several_processes_is_refused_with_the_reason(monkeypatch, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(GenrecError, match=f"`WORLD_SIZE` is `{size}`: several processes were started"):
        run_pipeline(None, None)  # neither is looked at
