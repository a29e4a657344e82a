"""A language model that takes part in conversations is packed and performs prompts as any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from understudy.backend.dialogue.emotions import EMOTIONS
from understudy.backend.models.chat_words import ChatConfig
from understudy.backend.models.language import TASKS
from understudy.backend.performance.describing import describe_clip
from understudy.backend.pipeline import load_pipeline
from understudy.backend.protocol.messages import GenerateParams

from .conftest import WORDS, make_pack


def test_both_engines_perform_and_tell_with_words_of_conversations_in_the_vocabulary(tmp_path: Path) -> None:
    able = {"tasks": TASKS, "pieces": WORDS.get_vocab_size(), "style": True, "rhythm": True}
    pack = make_pack(tmp_path, language_keys={**able, "chat": ChatConfig(emotions=EMOTIONS, speech=5)})
    asked = GenerateParams(prompt="a person walks forward", seconds=2.0, seed=1)
    clips, told = [], []
    for engine in ("torch", "onnx"):
        pipeline = load_pipeline(str(pack), engine=engine)
        assert pipeline.config.language.chat == ChatConfig(emotions=EMOTIONS, speech=5)
        clips.append(pipeline.generate(asked)[0])
        told.append([one.text for one in describe_clip(pipeline, clips[0])])
    assert np.abs(clips[0].joints() - clips[1].joints()).max() < 1e-3
    assert told[0] == told[1]
