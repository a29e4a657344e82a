"""The word pieces that motion is told in: a small vocabulary of its own, learnt from captions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ..errors import BadInput
from ..text import MAX_WORDS, TextEmbedding

FILE = "pieces.json"
"""The vocabulary's name in a stage folder and in a pack."""
END = 0
"""The piece that begins and ends a caption."""


def learn_pieces(captions: Iterable[str], size: int) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016) with at most ``size`` pieces, the first of them :data:`END`."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unknown>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Digits(True)]
    )
    tokenizer.decoder = decoders.Metaspace()
    letters = [chr(code) for code in range(33, 127)]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<end>", "<unknown>"],
        initial_alphabet=letters,
        show_progress=False,
    )
    # Sorted, so that the same captions in any order give the same pieces.
    tokenizer.train_from_iterator(sorted(captions), trainer)
    return tokenizer


def word_ids(tokenizer: Tokenizer, prompts: list[str | None]) -> TextEmbedding:
    """Pieces (B, W) of prompts, padded on the left, and which of them exist; ``None`` is an empty prompt."""
    rows = [
        [] if prompt is None else tokenizer.encode(prompt, add_special_tokens=False).ids[:MAX_WORDS]
        for prompt in prompts
    ]
    width = max(1, *map(len, rows))
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros((len(rows), width), bool)
    for i, row in enumerate(rows):
        if row:
            ids[i, width - len(row) :], mask[i, width - len(row) :] = row, True
    return TextEmbedding(ids, mask)


def read_pieces(path: Path) -> Tokenizer:
    """The vocabulary in a file.

    Raises:
        BadInput: there is none, or it is broken.
    """
    try:
        return Tokenizer.from_str(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field="pack") from error
    except Exception as error:  # the library raises nothing more exact
        raise BadInput(f"{path} holds no word pieces.", field="pack") from error
