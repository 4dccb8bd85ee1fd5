"""What Prometheus is told: how much was asked, how long it took, what was turned away; nothing of users."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "genrec_requests_total", "Answered requests.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "genrec_request_seconds",
            "From the request's first byte to the answer's last.",
            ["path"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.turned_away = Counter(
            "genrec_turned_away_total", "Requests not served.", ["reason"], registry=self.registry
        )
        self.waiting = Gauge("genrec_queue_waiting", "Requests in the queue.", registry=self.registry)
        self.batch = Histogram(
            "genrec_batch_size", "Requests answered together.", buckets=_SIZES, registry=self.registry
        )
        self.model_seconds = Histogram(
            "genrec_model_seconds",
            "Time of the model for a batch.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "genrec_answers_total", "Recommendations, by what made them.", ["made_by"], registry=self.registry
        )
        self.reloads = Counter(
            "genrec_reloads_total", "Runs loaded, and how it ended.", ["outcome"], registry=self.registry
        )
        self.served = Gauge(
            "genrec_served_run",
            "1 for the run that is served.",
            ["run", "model", "identifiers"],
            registry=self.registry,
        )

    def serves(self, run: str, model: str, identifiers: str) -> None:
        """Say which run is served from now on."""
        self.served.clear()
        self.served.labels(run, model, identifiers).set(1)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
