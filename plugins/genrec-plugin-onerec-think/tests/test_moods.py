"""The made-up world: users have habits, and moods that a history does not tell can be asked for."""

from collections import Counter

from genrec_plugin_onerec_think.moods import FORMS, MOODS, STYLES, Moods, items

from genrec_core import Context


def test_every_style_mood_and_form_is_one_item_with_a_title_of_its_own():
    catalogue = items()
    assert len(catalogue) == len(STYLES) * len(MOODS) * len(FORMS) == 192
    assert len(set(catalogue.fields["title"])) == 192
    assert catalogue.fields["style"][0] == "jazz"
    assert catalogue.fields["mood"][6] == "lively"


def test_choices_keep_to_two_styles_and_one_mood_as_often_as_is_said():
    world = Moods(users=400, style=0.9, mood=0.75).load(Context())
    styles, moods = world.items.fields["style"], world.items.fields["mood"]
    own = usual = total = 0
    for row in range(len(world.users)):
        chosen = world.sequences.row(row).tolist()
        own += sum(n for _, n in Counter(styles[item] for item in chosen).most_common(2))
        usual += Counter(moods[item] for item in chosen).most_common(1)[0][1]
        total += len(chosen)
    # A strange style may be one of the user's two by chance (2 of 8), a strange mood the usual one (1 of 4).
    assert abs(own / total - (0.9 + 0.1 / 4)) < 0.02
    assert abs(usual / total - (0.75 + 0.25 / 4)) < 0.03
