"""Components that each break one promise, with the check that must notice."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np

from genrec_core import (
    Baseline,
    Candidate,
    Candidates,
    Corpus,
    Encoder,
    Grounder,
    GrounderSession,
    History,
    Identifiers,
    ItemRef,
    Loss,
    Ranked,
    Recommender,
    RecommenderSession,
    Reconstruction,
    Reward,
    Sample,
    Split,
    Text,
    Tokenizer,
    View,
    Views,
    operational,
)
from genrec_core.builtin.sft import SFT
from genrec_core.contracts.baseline import BaselineSession, Exceptions
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.recommender import excluding
from genrec_core.testing.toy import toy_catalogue


class Good(Tokenizer):
    """Names items by their number."""

    def fit(self, items, train, context):
        return Identifiers.of(
            [(f"<{n}>",) for n in range(len(items))], new_tokens=[f"<{n}>" for n in range(99)]
        )


class Forgetful(Good):
    """Leaves out the last item."""

    def fit(self, items, train, context):
        return super().fit(items.subset(range(len(items) - 1)), train, context)


class Fickle(Good):
    """Draws from Python's own generator."""

    def fit(self, items, train, context):
        return Identifiers.of([(f"<{random.random()}>",) for _ in items.ids])


class Hoarder(Good):
    """Keeps what it learnt on itself."""

    def fit(self, items, train, context):
        self.fitted = super().fit(items, train, context)
        return self.fitted


class Vandal(Good):
    """Changes the items it is given."""

    def fit(self, items, train, context):
        items.fields["title"][0] = "mine"
        return super().fit(items, train, context)


class Ambiguous(Good):
    """Writes two identifiers the same way."""

    def fit(self, items, train, context):
        return Identifiers.of(
            [("1", "11") if n == 0 else ("11", "1") if n == 1 else (f"x{n}",) for n in range(len(items))]
        )


class Mover(Good):
    """Names the old items anew when new ones come."""

    def extend(self, identifiers, items, context):
        names = [("<0>",), *((f"<{n}>",) for n in range(len(identifiers) + len(items) - 1))]
        return Identifiers.of(names, new_tokens=identifiers.new_tokens)


class Crooked(Good):
    """Leaves out the last item when it reconstructs."""

    def reconstruct(self, identifiers, items, context):
        seen = np.zeros((len(items), 3), dtype=np.float32)
        return Reconstruction(seen, seen[:-1])


class Accountant(Good):
    """Keeps a row an item of its own, and names old items by that."""

    def fit(self, items, train, context):
        numbers = np.arange(len(items))
        return replace(super().fit(items, train, context), state={"numbers": numbers})

    def extend(self, identifiers, items, context):
        old = [f"<{n}>" for n in identifiers.state["numbers"]]
        new = [f"<{n}>" for n in range(len(old), len(old) + len(items))]
        names = [(name,) for name in (*old, *new)]
        numbers = np.arange(len(names))
        return Identifiers.of(names, new_tokens=identifiers.new_tokens, state={"numbers": numbers})


class Once(Good):
    """Numbers new items from the number of items that it was fitted on."""

    def fit(self, items, train, context):
        return replace(super().fit(items, train, context), settings={"fitted": len(items)})

    def extend(self, identifiers, items, context):
        fitted = identifiers.settings["fitted"]
        names = [(f"<{n}>",) for n in range(fitted + len(items))]
        settings = identifiers.settings
        return Identifiers.of(names, new_tokens=identifiers.new_tokens, settings=settings)


class Silent(Good):
    """Has an option that nobody explains."""

    class Options(Tokenizer.Options):
        """Options."""

        depth: int = 1


class Demanding(Good):
    """Cannot do without an option."""

    class Options(Tokenizer.Options):
        """Options."""

        path: str
        """Where something is."""


class Lenient(Good):
    """Takes any option."""

    class Options(Tokenizer.Options, extra="ignore"):
        """Options."""


class Leaky(Corpus):
    """Tells the target in the prompt."""

    def samples(self, view, catalogue, context):
        for e in view.examples():
            yield Sample(
                (*self._head(e.history), ItemRef(e.target, "title"), ItemRef(e.target, learn=True)), e.target
            )

    def prompt(self, request, catalogue, context):
        return Sample(self._head(request.history))

    def _head(self, history):
        return (Text("After "), History(history))


class Spelling(Corpus):
    """Writes identifiers as text."""

    def samples(self, view, catalogue, context):
        for e in view.examples():
            yield Sample((Text(catalogue.write(e.history[-1])), ItemRef(e.target, learn=True)), e.target)


class Drifting(Leaky):
    """Asks differently when it recommends."""

    def _head(self, history):
        return (Text("After "), History(history))

    def prompt(self, request, catalogue, context):
        return Sample((Text("What comes after "), History(request.history)))


class Averaging(Loss):
    """Gives each token the mean of its batch."""

    def losses(self, logs, chosen):
        losses = -logs.gather(1, chosen[:, None]).squeeze(1)
        return losses.mean().expand_as(losses)


class Summing(Loss):
    """Sums over choices that do not exist."""

    def losses(self, logs, chosen):
        return -logs.gather(1, chosen[:, None]).squeeze(1) - 0.1 * (0.0 * logs).sum(1)


class NotANumber(Reward):
    """Gives NaN to a group without a hit."""

    def score(self, group, catalogue, context):
        return [1.0 if group.hit() else float("nan")] * len(group.rollouts)


class Impatient(Reward):
    """Expects every rollout to name an item."""

    def score(self, group, catalogue, context):
        return [float(len(rollout.tokens[0])) for rollout in group.rollouts]


class Repeating(Grounder):
    """Gives an item as often as it was written."""

    def open(self, catalogue, context):
        return RepeatingSession(catalogue)


class RepeatingSession(GrounderSession):
    def __init__(self, catalogue):
        self.catalogue = catalogue

    def ground(self, candidates: Candidates):
        items_of = self.catalogue.identifiers.items_of
        found = [int(i) for c in candidates.beams for i in items_of(c.tokens)]
        n = len(found)
        falling = -np.arange(n, dtype=np.float32)
        return Ranked(np.array(found, np.int32), falling, np.ones(n, np.uint8), len(candidates.beams))


class Corpuswide(Encoder):
    """Scales by the longest text of the batch."""

    def encode(self, texts, state, context):
        lengths = np.array([[len(text), text.count("e")] for text in texts], dtype=np.float32)
        return lengths / lengths.max()


class Keeper(Encoder):
    """Keeps on itself what it learnt."""

    def fit(self, texts, context):
        self.longest = max(map(len, texts))
        return {}

    def encode(self, texts, state, context):
        return np.array([[len(text) / self.longest, text.count("e")] for text in texts], dtype=np.float32)


class Scribbler(Encoder):
    """Writes into what was learnt."""

    def fit(self, texts, context):
        return {"seen": np.zeros(1)}

    def encode(self, texts, state, context):
        state["seen"] += len(texts)
        return np.array([[len(text), text.count("e")] for text in texts], dtype=np.float32)


class Wordy(Encoder):
    """Learns words, which are no numbers."""

    def fit(self, texts, context):
        return {"words": np.asarray(sorted({word for text in texts for word in text.split()}))}

    def encode(self, texts, state, context):
        return np.array([[word in text for word in state["words"]] for text in texts], dtype=np.float32)


class Prophet(Split):
    """Trains on everything."""

    def split(self, dataset, max_history):
        users, rows = dataset.users, [dataset.sequences.row(n) for n in range(len(dataset.users))]
        targets = np.array([row[-1] for row in rows], dtype=np.int32)
        held = Sequences.of([row[:-1] for row in rows])
        train = View("train", users, dataset.sequences, None, max_history)
        return Views(
            train,
            View("valid", users, held, targets, max_history),
            View("test", users, held, targets, max_history),
        )


class Stingy(Baseline):
    """Gives three items whatever is asked."""

    def fit(self, items, training, context):
        return {"counts": np.bincount(training.train.rows.values, minlength=len(items))}

    def open(self, state, items, context):
        return StingySession(len(items))


class StingySession(BaselineSession):
    """Gives three items whatever is asked."""

    def scores(self, requests):
        return np.zeros((len(requests), self.items), dtype=np.float32)

    def rank(self, requests, k):
        for _ in requests:
            yield Ranked.direct(np.arange(3), -np.arange(3.0))


class Lookup(Baseline):
    """Learns words and writes into them, scores by the first request, forgets new items, ranks backwards."""

    def fit(self, items, training, context):
        return {"ids": np.asarray(items.ids), "seen": np.zeros(1)}

    def open(self, state, items, context):
        return LookupSession(24, state)


class LookupSession(BaselineSession):
    """Scores by the first request."""

    def __init__(self, items, state):
        super().__init__(items)
        self.state = state

    def scores(self, requests):
        if any(not request.history for request in requests):
            return np.zeros((0, self.items), dtype=np.float32)
        self.state["seen"] += 1
        first = requests[0].history[-1] if len(requests) else 0
        row = np.roll(np.arange(self.items, dtype=np.float64), first)
        return np.tile(row, (len(requests), 1))

    def exceptions(self, requests):
        return Exceptions(np.arange(1), np.arange(1), np.full(1, 7.0))

    def rank(self, requests, k):
        for row in self.scores(requests):
            worst = np.argsort(row)[:k]
            yield Ranked.direct(worst, -row[worst])


class Unlisted(Good):
    """Reads a file and keeps that to itself."""

    class Options(Good.Options):
        """What is read."""

        file: Path = Path("names.txt")
        """Names."""

    def inputs(self):
        return ()


class Hashing(Good):
    """Names items by Python's `hash()`, which every process seeds anew."""

    def fit(self, items, train, context):
        return Identifiers.of([(f"<{hash(title)}>",) for title in items.fields["title"]])


class Numbered(Good):
    """Puts the process id into names."""

    def fit(self, items, train, context):
        return Identifiers.of([(f"<{n}>", f"<{os.getpid()}>") for n in range(len(items))])


class Unordered(Good):
    """Numbers tokens in the order of a set of texts."""

    def fit(self, items, train, context):
        words = list({word for title in items.fields["title"] for word in title.split()})
        firsts = [title.split()[0] for title in items.fields["title"]]
        return Identifiers.of([(f"<{words.index(first)}>", f"<{n}>") for n, first in enumerate(firsts)])


class Chunked(Good):
    """Numbers items anew in each batch, whose size is called operational."""

    class Options(Tokenizer.Options):
        """Options."""

        batch: int = operational(12, "Items handled together.", ge=1)

    def fit(self, items, train, context):
        size = self.options.batch
        return Identifiers.of([(f"<{n % size}>", f"<{n // size}>") for n in range(len(items))])


class Scaled(Encoder):
    """Scales by a switch that is called operational."""

    class Options(Encoder.Options):
        """Options."""

        fast: bool = operational(False, "Faster.")

    def encode(self, texts, state, context):
        scale = 0.5 if self.options.fast else 1.0
        return scale * np.array([[len(text), text.count("e")] for text in texts], dtype=np.float32)


class Everything(Recommender):
    """Gives all items in catalogue order, those that `kept` keeps."""

    slots = ()

    def open(self, models, catalogue, prompts, context):
        return EverythingSession(self, catalogue)

    def answered(self, request):
        return True

    def kept(self, item, request):
        return True

    def finished(self, answer, request):
        return excluding(answer, request, toy_catalogue())


class EverythingSession(RecommenderSession):
    def __init__(self, recommender, catalogue):
        self.recommender, self.names = recommender, catalogue.identifiers

    def recommend(self, requests):
        for request in filter(self.recommender.answered, requests):
            kept = [item for item in range(23) if self.recommender.kept(item, request)]
            answer = Candidates(tuple(Candidate(self.names.tokens(item), -item) for item in kept))
            yield self.recommender.finished(answer, request)


class Skipping(Everything):
    """Has no answer for a request without a history."""

    def answered(self, request):
        return bool(request.history)


class Speechless(Everything):
    """Has an empty answer for a request without a history."""

    def kept(self, item, request):
        return bool(request.history)


class Stubborn(Everything):
    """Recommends what the request excludes."""

    def finished(self, answer, request):
        return answer


class Filtering(Everything):
    """Leaves out what was viewed."""

    def kept(self, item, request):
        return item not in request.history and item != 22  # item 23 shares the identifier of item 22


class Peeking(SFT):
    """Puts the validation rows, targets and all, behind the training rows."""

    def train(self, models, catalogue, training, context):
        train, valid = training.train, training.valid
        rows = [train.rows.row(row) for row in range(len(train.rows))]
        rows += [np.append(valid.rows.row(row), valid.targets[row]) for row in range(len(valid))]
        seen = View("train", train.users + valid.users, Sequences.of(rows), None, train.max_history)
        return super().train(models, catalogue, replace(training, train=seen), context)


FAULTS = [
    (Hashing, "gives_the_same_in_another_process"),
    (Numbered, "gives_the_same_in_another_process"),
    (Unordered, "gives_the_same_in_another_process"),
    (Chunked, "keeps_results_whatever_is_operational"),
    (Scaled, "keeps_results_whatever_is_operational"),
    (Skipping, "answers_requests_without_history"),
    (Speechless, "answers_requests_without_history"),
    (Filtering, "keeps_viewed_items"),
    (Stubborn, "leaves_out_excluded_items"),
    (Stubborn, "keeps_to_allowed_items"),
    (Peeking, "trains_on_training_rows_alone"),
    (Unlisted, "has_an_identity_in_json"),
    (Forgetful, "names_every_item"),
    (Fickle, "agrees_with_itself"),
    (Hoarder, "holds_no_fitted_state"),
    (Vandal, "leaves_its_inputs_alone"),
    (Ambiguous, "spells_identifiers_unambiguously"),
    (Mover, "extends_without_moving_anything"),
    (Crooked, "reconstructs_what_it_quantised"),
    (Silent, "is_documented"),
    (Lenient, "refuses_unknown_options"),
    (Leaky, "does_not_leak_the_target"),
    (Spelling, "does_not_spell_identifiers"),
    (Drifting, "prompts_as_it_trains"),
    (Averaging, "treats_every_token_by_itself"),
    (Summing, "passes_over_choices_that_do_not_exist"),
    (NotANumber, "scores_a_group_that_missed"),
    (Impatient, "scores_malformed_rollouts"),
    (Repeating, "ranks_distinct_items"),
    (Corpuswide, "ignores_the_company_of_texts"),
    (Keeper, "embeds_by_what_was_learnt_alone"),
    (Scribbler, "leaves_what_was_learnt_alone"),
    (Wordy, "learns_plain_arrays"),
    (Accountant, "extends_whatever_order_items_are_in"),
    (Once, "extends_again_what_was_extended"),
    (Prophet, "hides_targets_from_training"),
    (Prophet, "owns_its_rows"),
    (Stingy, "gives_as_many_as_asked"),
    (Lookup, "learns_plain_arrays"),
    (Lookup, "scores_every_item"),
    (Lookup, "ranks_by_its_scores"),
    (Lookup, "scores_by_what_was_learnt_alone"),
    (Lookup, "scores_each_request_alone"),
    (Lookup, "scores_items_that_came_later"),
    (Lookup, "tells_its_exceptions"),
    (Lookup, "answers_empty_histories"),
    (Lookup, "leaves_out_what_is_excluded"),
]
