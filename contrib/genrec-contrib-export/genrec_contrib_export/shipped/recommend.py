"""Recommends with this folder alone: no GenRec, only torch, transformers and safetensors.

    python recommend.py --history ITEM,ITEM -k 10
    python recommend.py --check                    # the answers of examples.json come out again

A prompt is put together as `prompt.json` says: `prefix`, the items of the history (newest last) with
`separator` between them, `suffix`. `item` says how one item is written: token ids as they stand, or the
item's row of a form in `forms.safetensors`. The oldest items go first where there is no room.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from logits_processor import LegalIdentifiers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, LogitsProcessorList

FOLDER = Path(__file__).resolve().parent
CLOSE = 1e-3
"""Scores differ by the order in which numbers are added."""


class ExportedModel:
    """The model of a folder, its trie and its prompt."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.prompt = json.loads((folder / "prompt.json").read_text())
        with (folder / "identifiers.jsonl").open() as lines:
            self.ids = [json.loads(line)["item_id"] for line in lines]
        self.place = {item: row for row, item in enumerate(self.ids)}
        self.forms = load_file(folder / "forms.safetensors")
        self.encoder = self.prompt["family"] == "seq2seq"
        kind = AutoModelForSeq2SeqLM if self.encoder else AutoModelForCausalLM
        self.model = kind.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False).eval()
        self.folder = folder

    def named(self, text: str) -> list[str]:
        """The item ids in a text: the whole of it where that is one, else ids with commas between."""
        return [text] if text in self.place else text.split(",") if text else []

    def prompt_ids(self, history: list[str]) -> list[int]:
        """Token ids of the prompt after a history of item ids, oldest first."""
        items = [self.place[item] for item in history][-self.prompt["max_history"] :]
        while True:
            ids = list(self.prompt["prefix"])
            for number, item in enumerate(items):
                ids += self.prompt["separator"] if number else []
                for part in self.prompt["item"]:
                    ids += part["ids"] if "ids" in part else self.written(part["form"], item)
            ids += self.prompt["suffix"]
            if len(ids) <= self.prompt["max_prompt"] or not items:
                return ids
            items = items[1:]

    def written(self, form: str, item: int) -> list[int]:
        """Token ids of an item in a form."""
        begin, end = self.forms[f"{form}.offsets"][item : item + 2].tolist()
        return self.forms[f"{form}.tokens"][begin:end].tolist()

    def recommend(self, history: list[str], k: int = 10) -> list[tuple[str, float]]:
        """The k best items after a history, with their scores; at most as many as there are beams."""
        ids = torch.tensor([self.prompt_ids(history)])
        legal = LegalIdentifiers(self.folder, 1 if self.encoder else ids.shape[1])
        with torch.inference_mode():
            found = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), logits_processor=LogitsProcessorList([legal]),
                return_dict_in_generate=True, output_scores=True,
            )  # fmt: skip
        best: dict[int, float] = {}
        rows = found.sequences[:, legal.prompt_length :].tolist()
        for row, score in zip(rows, found.sequences_scores.tolist(), strict=True):
            for item in legal.items_of(row) if score > -1e8 else []:
                best[item] = max(score, best.get(item, score))
        ranked = sorted(best, key=lambda item: (-best[item], item))
        return [(self.ids[item], best[item]) for item in ranked[:k]]


def check(recommender: ExportedModel) -> int:
    """Compare with what the run itself recommended; how many examples differ."""
    different = 0
    for example in json.loads((FOLDER / "examples.json").read_text()):
        expected = [(one["item"], one["score"]) for one in example["items"]]
        found = recommender.recommend(example["history"], len(expected))
        scores = all(abs(a - b) < CLOSE for (_, a), (_, b) in zip(found, expected, strict=False))
        same = [item for item, _ in found] == [item for item, _ in expected] and scores
        different += not same
        print("same" if same else f"different: {found} instead of {expected}")
    return different


def main() -> None:
    """Recommend, or check."""
    parser = argparse.ArgumentParser(description="Recommend items with this folder.")
    parser.add_argument("--history", help="item ids in time order, with commas between")
    parser.add_argument("-k", type=int, default=10, help="how many items")
    parser.add_argument("--check", action="store_true", help="compare with examples.json")
    options = parser.parse_args()
    if options.check:
        sys.exit(1 if check(ExportedModel()) else 0)
    model = ExportedModel()
    for item, score in model.recommend(model.named(options.history or ""), options.k):
        print(f"{score:9.4f}  {item}")


if __name__ == "__main__":
    main()
