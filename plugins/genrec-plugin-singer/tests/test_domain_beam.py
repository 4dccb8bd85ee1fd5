"""singer/domain-beam: each request is answered from its own domain, in the order asked."""

import pytest
from genrec_plugin_singer.domain_beam import DomainBeam
from genrec_plugin_singer.tasks import Tasks

from genrec_core import Catalogue, Context, GenrecError, Items, Request
from genrec_core.testing.sessions import ask


@pytest.fixture
def halves(catalogue):
    """The catalogue with its first three items of one domain and the others of another."""
    fields = {**catalogue.items.fields, "domain": ["tools"] * 3 + ["garden"] * 3}
    return Catalogue(Items(catalogue.items.ids, fields), catalogue.identifiers)


def answered(model, catalogue, *domains, beams=6):
    requests = [Request("u", (0, 3), domain=domain) for domain in domains]
    beam, prompt = DomainBeam(beams=beams), Tasks(stage="rl")
    found = ask(beam, {"main": model}, requests, catalogue, prompt, Context())
    tokens = [[candidate.tokens for candidate in candidates.beams] for candidates in found]
    return [sorted(int(catalogue.identifiers.items_of(one)[0]) for one in beams) for beams in tokens]


def test_each_request_gets_the_items_of_its_domain_and_one_without_gets_all(model, halves):
    found = answered(model, halves, "tools", "garden", "", "tools")
    assert found == [[0, 1, 2], [3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 2]]


def test_a_domain_that_no_item_has_is_refused(model, halves):
    with pytest.raises(GenrecError, match="leaves no item"):
        answered(model, halves, "books")
