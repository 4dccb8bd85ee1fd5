"""Words for made items: topics, their kinds of thing, and what can be said of each.

Items of one kind share most of their words, kinds of one topic share some, so that text tells how near
two items are. Nothing here describes real products.
"""

from __future__ import annotations

from dataclasses import dataclass

_TOPICS = {
    "camping trips": """
        tent dome ridge tunnel
        lantern gas candle solar
        stove spirit folding twin
        sleeping-bag mummy quilted down
        rucksack framed roll-top daypack
        hammock netted woven double""",
    "home baking": """
        cake-tin round loaf fluted
        whisk balloon coil flat
        rolling-pin maple tapered marble
        oven-glove padded silicone long
        piping-bag cotton nozzle lined
        flour-sieve fine drum crank""",
    "oil painting": """
        brush hog sable fan
        easel tripod table studio
        canvas stretched primed linen
        palette kidney wooden glass
        varnish matt gloss satin
        pigment mineral earth lake""",
    "vegetable gardens": """
        trowel narrow bulb forged
        watering-can brass slim rose
        seed-tray deep cell vented
        pruner bypass anvil ratchet
        trellis fan arched willow
        compost-bin slatted tumbling lidded""",
    "evening music": """
        guitar parlour nylon archtop
        tuner clip pedal strobe
        capo spring trigger screw
        metronome pyramid pocket quartz
        music-stand wire desk orchestral
        violin student carved baroque""",
    "city cycling": """
        bicycle-bell dome thumb chime
        saddle sprung cut-out racing
        pannier rolltop twin-strap office
        pump floor frame mini
        bicycle-lock chain shackle cable
        mudguard clip-on full chrome""",
    "winter sewing": """
        thread bobbin waxed buttonhole
        scissors tailor pinking embroidery
        thimble open leather domed
        needle darning quilting curved
        button horn shell toggle
        fabric flannel twill corduroy""",
    "stargazing nights": """
        telescope refractor reflector catadioptric
        eyepiece wide planetary zoom
        star-map rotating folded luminous
        binoculars astronomy porro giant
        red-torch head clip-lamp dimming
        mount equatorial alt-azimuth fork""",
}
"""Topic → one kind a line: its noun, then its varieties."""

_ADJECTIVE_WORDS = """
    amber ancient autumn azure bold bright calm clever coastal copper coral crimson dapper dusky eager early
    emerald fabled feather gentle golden granite hazel hidden humble indigo ivory jade jolly keen late little
    lucky lunar mellow merry misty modest navy noble northern olive opal pale pearl plain polar proud quiet
    rapid rosy royal ruby rustic sandy scarlet silent silver simple sleek snowy sober solid southern spruce
    steady stormy sturdy subtle sunny swift tawny tidy timber topaz umber urban velvet violet vivid warm
"""
ADJECTIVES = tuple(_ADJECTIVE_WORDS.split())

_CLAIMS = ("easy to carry", "made to last", "simple to clean", "light in the hand", "kind to beginners")


@dataclass(frozen=True)
class Kind:
    """One kind of thing: `tent`, in its varieties `dome`, `ridge`, `tunnel`, for `camping trips`."""

    topic: str
    noun: str
    varieties: tuple[str, ...]

    @property
    def titles(self) -> int:
        """How many different titles this kind can have."""
        return len(self.varieties) * len(ADJECTIVES)

    def title(self, number: int) -> str:
        """A title of two to four words; different for different numbers below `titles`."""
        variety = self.varieties[number % len(self.varieties)]
        # 37 is coprime to the number of adjectives, so stepping by it visits each of them once.
        adjective = ADJECTIVES[(number // len(self.varieties) * 37 + len(self.noun)) % len(ADJECTIVES)]
        return f"{adjective} {variety} {self.noun.replace('-', ' ')}".title()

    def description(self, number: int) -> str:
        """What the thing is for, without a closing period (texts are joined by one)."""
        variety = self.varieties[number % len(self.varieties)]
        claim = _CLAIMS[number % len(_CLAIMS)]
        noun = self.noun.replace("-", " ")
        return f"A {variety} {noun} for {self.topic}, {claim}"


def kinds() -> list[list[Kind]]:
    """Every kind, by topic."""
    return [
        [
            Kind(topic, noun, tuple(varieties))
            for noun, *varieties in (line.split() for line in lines.strip().splitlines())
        ]
        for topic, lines in _TOPICS.items()
    ]
