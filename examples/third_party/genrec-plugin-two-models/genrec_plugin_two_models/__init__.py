"""Two models at once: one learns from the other, and both recommend."""

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `two-models/distil` and `two-models/agreed`."""
    registry.trainer("distil", "genrec_plugin_two_models.distil:Distil")
    registry.recommender("agreed", "genrec_plugin_two_models.agreed:Agreed")
