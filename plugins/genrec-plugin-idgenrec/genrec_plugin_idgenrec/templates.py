"""Ten ways to ask for the next item, in our own words.

Each has three pieces, so that the ablations of the paper's table 6 need no other wording: who the user is,
what was chosen, and the question. Pieces that are left out leave a sentence that still reads.

    both     Shopper: {user}. Chosen so far: {history}. What comes next?
    items    Chosen so far: {history}. What comes next?
    users    Shopper: {user}. What comes next?
"""

from __future__ import annotations

from typing import NamedTuple


class Wording(NamedTuple):
    """One wording.

    Attributes:
        user: names the user, at `{user}`.
        history: lists the items, at `{history}`.
        ask: what is asked for.
    """

    user: str
    history: str
    ask: str


TEMPLATES = (
    Wording("Shopper: {user}. ", "Chosen so far: {history}. ", "What comes next? "),
    Wording("A profile reads {user}. ", "Its past picks, oldest first: {history}. ", "The following pick: "),
    Wording("Someone fond of {user}. ", "They took {history}. ", "Afterwards they will take "),
    Wording("Taste: {user}. ", "Record: {history}. ", "Continue the record with one item: "),
    Wording("For a visitor described as {user}. ", "Visited in order: {history}. ", "Suggest the next: "),
    Wording("Known about this person: {user}. ", "Items had: {history}. ", "Item wanted now: "),
    Wording("Account summary: {user}. ", "Latest activity, newest last: {history}. ", "Upcoming item: "),
    Wording("Interests: {user}. ", "After {history}, one more is due. ", "It is "),
    Wording("This customer is about {user}. ", "Basket by basket: {history}. ", "The next basket gets "),
    Wording("Given the user {user}. ", "And given this list: {history}. ", "Name what should be added: "),
)
