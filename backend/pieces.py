"""The word pieces that motion is told in: a small vocabulary of its own, learnt from captions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from .errors import BadInput

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
