"""`onerec-think/moods`: a made-up world in which wishes can be scored (OneRec-Think, figure 3).

Every item has a style and a mood. A user keeps to one or two styles, and usually to one mood, so the next
item can be guessed from the history. Somebody who asks for another mood wants something that the history
does not tell: an item of that mood in a style of theirs.

    history   a calm jazz record, a calm folk record, a calm jazz record …
    no wish                          → calm jazz, calm folk
    a wish for "something lively"    → lively jazz, lively folk

Both parts can be counted: how many recommendations have the mood that was asked for, and how many of them
are still in the user's styles. `python -m tests.benchmarks.steering` does so.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from genrec_core import Context, Dataset, Items, Sequences, Source

STYLES = ("jazz", "folk", "techno", "opera", "blues", "choir", "dub", "tango")
MOODS = {
    "calm": ("still", "soft", "slow", "quiet"),
    "lively": ("bright", "quick", "merry", "loud"),
    "sad": ("grey", "lonely", "bitter", "late"),
    "eerie": ("hollow", "cold", "strange", "dim"),
}
FORMS = ("song", "record", "tape", "session", "concert", "single")


class Moods(Source):
    """Draws records, listeners and what they chose from one seed."""

    version = "1"

    class Options(Source.Options):
        """How many, and how faithful to their habits users are."""

        seed: int = Field(0, ge=0)
        """Seed of the data; not the pipeline's."""
        users: int = Field(1_000, ge=1, le=1_000_000)
        """Number of users."""
        shortest: int = Field(6, ge=3)
        """Fewest choices of a user."""
        longest: int = Field(12, ge=3, le=200)
        """Most choices of a user."""
        style: float = Field(0.9, ge=0, le=1)
        """How often a choice is in one of the user's own two styles."""
        mood: float = Field(0.75, ge=0, le=1)
        """How often a choice has the user's usual mood."""

    options: Options

    def load(self, context: Context) -> Dataset:
        """The data set; users have no attributes, their habits are in what they chose."""
        options, generator = self.options, np.random.default_rng(self.options.seed)
        moods, rows = list(MOODS), []
        for _ in range(options.users):
            own = generator.choice(len(STYLES), size=2, replace=False)
            usual = int(generator.integers(len(moods)))
            count = int(generator.integers(options.shortest, max(options.shortest, options.longest) + 1))
            row = []
            for _ in range(count):
                faithful = generator.random() < options.style
                style = int(own[generator.integers(2)] if faithful else generator.integers(len(STYLES)))
                mood = usual if generator.random() < options.mood else int(generator.integers(len(moods)))
                row.append((style * len(moods) + mood) * len(FORMS) + int(generator.integers(len(FORMS))))
            rows.append(row)
        width = len(str(options.users - 1))
        users = tuple(f"u{user:0{width}}" for user in range(options.users))
        return Dataset(items=items(), users=users, sequences=Sequences.of(rows))


def items() -> Items:
    """One item for each style, mood and form: `Soft jazz song`."""
    named = [
        (style, mood, f"{words[(number + place) % len(words)]} {style} {form}".capitalize())
        for place, style in enumerate(STYLES)
        for mood, words in MOODS.items()
        for number, form in enumerate(FORMS)
    ]
    fields = {
        "title": [title for _, _, title in named],
        "style": [style for style, _, _ in named],
        "mood": [mood for _, mood, _ in named],
    }
    return Items(tuple(f"m{number:03}" for number in range(len(named))), fields)
