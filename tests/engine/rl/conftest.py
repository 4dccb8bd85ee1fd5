import dataclasses

import pytest
import torch

from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.context import Context
from genrec_core.contracts.samples import ItemRef, Sample, Text
from genrec_core.engine.rl.policy import Policy
from genrec_core.testing.toy import toy_catalogue, toy_training


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny matrices gain nothing from threads; on a busy machine, threads that wait for each other lose."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def catalogue():
    return toy_catalogue()


@pytest.fixture(scope="session")
def training():
    return toy_training()


@pytest.fixture
def build(catalogue):
    """Makes fresh small models whose weights are wide enough apart that beams are not ties."""

    def build(seed=1, **changes):
        shape = {
            "hidden": 32,
            "layers": 2,
            "heads": 2,
            "intermediate": 48,
            "vocabulary": 280,
            "device": "cpu",
        }
        model = TinyCausal(**{**shape, **changes}).build(catalogue, Context(seed=seed))
        with torch.no_grad():
            for parameter in model.network.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(6.0)
        return model

    return build


@pytest.fixture(scope="session")
def samples(catalogue, training):
    """Next items as identifiers, and the same items as titles: two catalogues, prompts of several lengths."""
    made = list(NextItem().samples(training.train, catalogue, Context()))[:6]
    titled = [
        dataclasses.replace(
            sample,
            segments=(Text("title of "), ItemRef(sample.target), ItemRef(sample.target, "title", learn=True)),
            answer_form="title",
            task="title",
        )
        for sample in made[:3]
    ]
    return [*made[:3], *titled, *made[3:]]


@pytest.fixture
def policy(build, catalogue):
    """Makes policies."""

    def policy(scoring="legal", *, temperature=1.0, batch_tokens=32768, model=None):
        return Policy(model or build(), catalogue, scoring, temperature, batch_tokens)

    return policy


class Log:
    """Keeps what is logged; raises at a training line of a step."""

    def __init__(self, dies_at=None):
        self.lines, self._dies_at = [], dies_at

    def __call__(self, event, **values):
        self.lines.append((event, values))
        if event == "train" and values["step"] == self._dies_at:
            raise KeyboardInterrupt

    def of(self, event):
        return [values for name, values in self.lines if name == event]


@pytest.fixture
def log():
    return Log


def weights(model):
    """A copy of every weight."""
    return {name: value.detach().clone() for name, value in model.network.named_parameters()}


@pytest.fixture
def weights_of():
    return weights


@pytest.fixture
def plain_sample():
    """A prompt without a history."""
    return Sample((Text("go "), ItemRef(5, learn=True)), target=5)
