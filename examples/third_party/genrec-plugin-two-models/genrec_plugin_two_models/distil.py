"""`two-models/distil`: a model learns what another one would write, not only what was chosen."""

from collections.abc import Mapping

from pydantic import Field

from genrec_core import Catalogue, Context, LanguageModel, Trained, Trainer, Training


class Distil(Trainer):
    """Moves `main` towards the distribution of `large` at every learnt token; `large` stays as it is."""

    slots = ("main", "large")
    changes = ("main",)
    needs_corpora = True

    class Options(Trainer.Options):
        """How long, how fast, and how soft."""

        epochs: int = Field(1, ge=1, le=1000)
        """How often every sample is seen."""

        learning_rate: float = Field(0.003, gt=0, le=1)
        """Of AdamW, constant."""

        temperature: float = Field(2.0, gt=0, le=100)
        """Divides the logits of both models; above 1, unlikely tokens teach more."""

    options: Options

    def train(
        self, models: Mapping[str, LanguageModel], catalogue: Catalogue, training: Training, context: Context
    ) -> Trained:
        """`main`, trained in place, and the divergence from `large` at every step."""
        # Checking and explaining a pipeline must not import torch.
        import torch
        from torch.nn.functional import kl_div, log_softmax

        from genrec_core.engine import Model, Renderer

        options, small, large = self.options, Model.of(models["main"]), Model.of(models["large"])
        rows = [
            (Renderer(small, catalogue).rendered(sample), Renderer(large, catalogue).rendered(sample))
            for corpus in options.corpora
            for sample in corpus.samples(training.train, catalogue, context)
        ]
        optimiser = torch.optim.AdamW(small.network.parameters(), lr=options.learning_rate)
        curve: list[tuple[float, float]] = []

        def soft(model, rendered):
            """Log-probabilities before each learnt token, [learnt, vocabulary]."""
            ids = torch.tensor([rendered.ids], device=model.device)
            before = [place - 1 for place, learnt in enumerate(rendered.learn) if learnt]
            return log_softmax(model.network(input_ids=ids).logits[0, before] / options.temperature, dim=-1)

        small.network.train()
        with torch.random.fork_rng(), context.progress("distil", options.epochs * len(rows)) as advance:
            torch.manual_seed(context.seed)
            for epoch in range(options.epochs):
                for place in context.generator(epoch).permutation(len(rows)):
                    own, other = rows[place]
                    with torch.no_grad():
                        wanted = soft(large, other)
                    loss = kl_div(soft(small, own), wanted, log_target=True, reduction="batchmean")
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    curve.append((float(len(curve)), loss.item()))
                    advance(1)
        small.network.eval()
        return Trained({"main": small}, curves={"divergence": curve})
