"""Stage 3: the language model learns to follow instructions in people's words.

It begins with a trained stage 2 (``init_from``). A part of what is drawn is asked for as a sentence of
:mod:`..words.instructions`, and only the answer counts: frames that are given, and motion that is to be told in
words, are read but not asked back. The rest is drawn as in stage 2, so that plain prompts, and the model
without any prompt that guidance needs, stay as good.
"""

from __future__ import annotations

from ...backend.errors import BadInput
from .language import LanguageStage, train_language


class InstructionStage(LanguageStage):
    """Keys of ``stage instruction``: those of ``stage language``, whose folder ``init_from`` names."""

    learning_rate: float = 1e-4
    warmup: int = 50
    instructed: float = 0.7
    """Share of segments that are asked for in an instruction."""


def run(config: InstructionStage) -> dict[str, float]:
    if config.init_from is None:
        raise BadInput("Instruction tuning needs init_from, a trained stage language.", field="init_from")
    return train_language(config, name="instruction", instructed=config.instructed)
