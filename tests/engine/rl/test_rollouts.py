"""Groups: beams, draws, thoughts; one catalogue a row; what is supplied and what is learnt."""

import dataclasses
from collections import Counter

import pytest
import torch

from genrec_core.builtin.next_item import NextItem
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.views import Request
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.rl.rollouts import RolloutStep
from genrec_core.engine.rl.strategies import DirectAnswers, Thinking


def prompts_of(policy, samples):
    return [policy.prompt_of(sample) for sample in samples]


def test_prompts_are_byte_equal_in_fine_tuning_reinforcement_and_recommending(
    build, catalogue, training, policy
):
    for chat in (False, True):
        model = dataclasses.replace(build(), chat=chat)
        if chat:
            model.text_tokenizer.chat_template = (
                "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
            )
        writer, renderer = policy(model=model), Renderer(model, catalogue)
        corpus = NextItem(instruction="Next: ")
        examples = list(training.valid.examples())
        for sample, example in zip(
            corpus.samples(training.valid, catalogue, Context()), examples, strict=True
        ):
            learnt = renderer.rendered(sample)
            asked = corpus.prompt(Request("u", example.history), catalogue, Context())
            assert list(writer.prompt_of(sample).ids) == learnt.ids[: learnt.prompt_length]
            assert list(writer.prompt_of(sample).ids) == renderer.prompt(asked)


def test_a_beam_group_is_the_decoders_beams_in_order(policy, samples):
    writer = policy("full")
    decoder = Decoder(writer.model, writer.catalogue, DecoderSettings(beams=6, scoring="full"))
    expected = list(decoder.candidates(samples))
    groups = DirectAnswers(6).roll_out(prompts_of(writer, samples), writer, RolloutStep())
    for group, answer in zip(groups, expected, strict=True):
        for completion, beam in zip(group.completions, answer.beams, strict=True):
            assert completion.rollout.score == pytest.approx(beam.score, abs=1e-5)
            assert completion.rollout.text == (beam.text or "".join(beam.tokens))


@pytest.mark.parametrize("how", ["beam", "sample", "distinct", "dynamic"])
def test_each_row_answers_from_its_own_catalogue(policy, samples, how, catalogue):
    writer = policy()
    for group in DirectAnswers(5, how).roll_out(prompts_of(writer, samples), writer, RolloutStep(seed=3)):
        form = group.prompt.sample.answer_form
        legal = set(catalogue.answers(form))
        assert 0 < len(group.completions) <= 5
        for completion in group.completions:
            assert completion.rollout.text in legal
            named = completion.rollout.tokens
            assert named == (completion.rollout.text,) or "".join(named) == completion.rollout.text
            assert (len(named) == 1) == (form == "title")


def test_draws_follow_the_constrained_policy(policy, plain_sample):
    writer = policy("legal", temperature=2.0)
    asked = writer.prompt_of(plain_sample)
    every = writer.search([asked], 100)[0]
    share = {one.ids: torch.tensor(one.rollout.score).exp().item() for one in every}
    assert sum(share.values()) == pytest.approx(1, abs=1e-4)
    drawn = writer.draw([asked], 4000, writer.noise(RolloutStep()))[0]
    counts = Counter(one.ids for one in drawn)
    for ids, expected in share.items():
        spread = (4000 * expected * (1 - expected)) ** 0.5
        assert abs(counts[ids] - 4000 * expected) < 5 * spread + 1
    scores = {one.ids: one.rollout.score for one in every}
    assert all(one.rollout.score == pytest.approx(scores[one.ids], abs=1e-4) for one in drawn[:50])


def test_noise_depends_on_seed_step_and_stage(policy, samples):
    writer = policy(temperature=3.0)
    asked = prompts_of(writer, samples[:3])

    def ids(**step):
        groups = DirectAnswers(4, "sample").roll_out(asked, writer, RolloutStep(**step))
        return [one.ids for group in groups for one in group.completions]

    assert ids(seed=1, step=2) == ids(seed=1, step=2)
    assert ids(seed=1, step=2) != ids(seed=1, step=3)
    assert ids(seed=1, step=2) != ids(seed=2, step=2)
    assert ids(seed=1, step=2) != ids(seed=1, step=2, stage=2)


def test_dynamic_groups_hold_distinct_answers_in_the_order_of_drawing(policy, samples):
    writer = policy(temperature=0.5)
    asked = prompts_of(writer, samples)
    step = RolloutStep(seed=1)
    drawn = writer.draw(asked, 12, writer.noise(step))
    for group, plain in zip(DirectAnswers(8, "dynamic").roll_out(asked, writer, step), drawn, strict=True):
        ids = [one.ids for one in group.completions]
        assert ids == list(dict.fromkeys(one.ids for one in plain))[:8]


def test_behind_a_prefix_only_what_is_legal_there_is_written_and_nothing_is_made_up(policy, samples):
    writer = policy()
    trie = writer.decoder.constraint("identifier").trie
    for how in ("beam", "sample", "distinct", "dynamic"):
        asked = [writer.prompt_of(samples[0], levels) for levels in (0, 1, 2, 3)]
        for levels, group in enumerate(DirectAnswers(16, how).roll_out(asked, writer, RolloutStep())):
            prefix = tuple(trie.path(trie.descend(group.prompt.prefix_ids)))
            assert len(prefix) == levels
            distinct = {one.ids for one in group.completions}
            assert len(distinct) <= writer.leaves(samples[0], levels)
            if how == "beam":
                assert len(distinct) == min(16, writer.leaves(samples[0], levels)) == len(group.completions)
            for one in group.completions:
                assert one.ids[:levels] == prefix
                assert one.learn == (False,) * levels + (True,) * (3 - levels)
                assert one.rollout.prefix == levels


def test_leaves_are_distinct_identifiers_not_items(policy, catalogue, samples):
    last = dataclasses.replace(samples[0], target=len(catalogue.items) - 1)  # shares its identifier
    assert policy().leaves(last, 3) == 1
    every = catalogue.identifiers.distinct()
    for sample in (*samples[:3], last):
        for levels in range(4):
            prefix = catalogue.identifiers.tokens(sample.target)[:levels]
            assert policy().leaves(sample, levels) == sum(one[:levels] == prefix for one in every)
    assert policy().leaves(samples[3], 0) == len(set(catalogue.answers("title")))


def test_a_title_has_no_prefix(policy, samples):
    with pytest.raises(GenrecError, match="only an identifier has a prefix"):
        policy().prompt_of(samples[3], prefix_length=1)


def test_look_ahead_decodes_behind_a_text(policy, samples):
    writer = policy()
    plain = writer.search([writer.prompt_of(samples[0])], 4)[0]
    beams = writer.beams(samples[0], "", 4).beams
    assert [beam.tokens for beam in beams] == [one.rollout.tokens for one in plain]
    assert writer.beams(samples[0], "hm, ", 4).beams[0].score != beams[0].score


def test_thoughts_are_learnt_what_was_written_for_the_model_is_not(policy, samples):
    writer = policy(temperature=1.5)
    thinking = Thinking(group=3, budget=5, opening="(", closing=")", lookahead=4)
    groups = thinking.roll_out(prompts_of(writer, samples[:4]), writer, RolloutStep(seed=5))
    opening, closing = writer.model.tokenise(["(", ")"])
    longest = thinking.longest(writer, ("identifier", "title"))
    for group in groups:
        assert len(group.completions) == len(group.lookahead) == 3
        for one, ahead in zip(group.completions, group.lookahead, strict=True):
            assert list(one.ids[: len(opening)]) == opening
            assert list(one.ids[one.answer - len(closing) : one.answer]) == closing
            thought = one.ids[len(opening) : one.answer - len(closing)]
            closed = one.learn[one.answer - 1]
            assert closed or len(thought) == 5 or writer.model.end_id not in thought
            assert one.learn[: len(opening)] == (False,) * len(opening)
            assert all(one.learn[len(opening) : len(opening) + len(thought)])
            assert all(one.learn[one.answer :])
            assert len(one.ids) <= longest
            assert one.rollout.text == f"({one.rollout.thought}){one.rollout.text.rpartition(')')[2]}"
            assert len(ahead) == 4
    quiet = dataclasses.replace(thinking, learn_answer=False, lookahead=0)
    for group in quiet.roll_out(prompts_of(writer, samples[:2]), writer, RolloutStep(seed=5)):
        assert not any(any(one.learn[one.answer :]) for one in group.completions)
        assert group.lookahead == ()


def test_a_free_answer_names_an_item_only_if_it_spells_one(policy, samples, catalogue):
    writer = policy(temperature=0.7)
    thinking = Thinking(group=4, budget=2, opening="(", closing=")", free_answer=True)
    rows = [samples[0], samples[3]]
    groups = thinking.roll_out(prompts_of(writer, rows), writer, RolloutStep(seed=1))
    for group in groups:
        for one in group.completions:
            assert one.answer == len(one.ids) == len(one.learn)
            assert one.learn[-1]
            assert not len(catalogue.identifiers.items_of(one.rollout.tokens))
            assert one.rollout.thought_tokens <= 2
            assert len(one.ids) <= thinking.longest(writer, ("identifier", "title"))


def test_what_was_written_freely_is_read_by_its_token_ids(policy, catalogue):
    writer = policy()
    tokens = catalogue.identifiers.tokens(4)
    ids = writer.model.token_ids(tokens)
    behind = writer.model.tokenise([" and why:" * 25])[0]
    assert len(" and why:" * 25) > 200
    assert writer.read(ids, "identifier") == tokens
    assert writer.read([*ids, *behind], "identifier") == tokens, "text behind it is ignored"
    assert writer.read([*ids, *behind], "identifier", "refuse") == ()
    assert writer.read(ids[:2], "identifier") == tokens[:2], "no item, but what a reward may count"
    assert writer.read([*ids[:2], *behind], "identifier", "refuse") == ()
    assert writer.read(behind, "identifier") == ()
    assert writer.read([*behind, *ids], "identifier") == (), "an answer stands at the beginning"
    title = catalogue.write(4, "title")
    assert writer.read(writer.model.tokenise([title])[0], "title") == (title,)
    assert writer.read(writer.model.tokenise([title[:-1]])[0], "title") == ()


def test_the_look_ahead_of_a_thought_is_a_beam_behind_it(policy, samples):
    writer = policy(temperature=1.5)
    (group,) = Thinking(2, 4, "(", ")", lookahead=3).roll_out(
        prompts_of(writer, samples[:1]), writer, RolloutStep(seed=2)
    )
    for one, ahead in zip(group.completions, group.lookahead, strict=True):
        behind = dataclasses.replace(group.prompt, ids=(*group.prompt.ids, *one.ids[: one.answer]))
        (plain,) = writer.search([behind], 3)
        assert [beam.tokens for beam in ahead] == [found.rollout.tokens for found in plain]


def test_results_do_not_depend_on_how_many_prompts_are_read_together(policy, samples):
    model = policy().model
    large, small = policy(model=model), policy(model=model, batch_tokens=1)
    for first, second in zip(
        *(
            DirectAnswers(4).roll_out(prompts_of(writer, samples), writer, RolloutStep())
            for writer in (large, small)
        ),
        strict=True,
    ):
        assert [one.ids for one in first.completions] == [one.ids for one in second.completions]
