"""Which arithmetic training gets."""

import pytest
import torch

from genrec_core import Context
from genrec_core.engine.training.arithmetic import chosen_precision, has_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("features", "native"),
    [({"avx2": True}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({}, False)],
)
@pytest.mark.parametrize("asked", ["auto", "float32", "bfloat16"])
def test_auto_is_bfloat16_only_where_it_is_no_emulation(monkeypatch, features, native, asked):
    told = []
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    chosen = chosen_precision(asked, CPU, Context(log=lambda event, **values: told.append((event, values))))
    by_itself = "bfloat16" if native else "float32"
    assert chosen == (by_itself if asked == "auto" else asked)
    emulated = chosen == "bfloat16" and not native
    assert told == [("arithmetic", {"precision": chosen, "device": "cpu", "emulated": emulated})]


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_is_asked_without_its_emulation(monkeypatch, native):
    def supported(including_emulation=True):
        return True if including_emulation else native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert has_bfloat16(torch.device("cuda")) is native
