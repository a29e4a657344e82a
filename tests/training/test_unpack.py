"""A pack's stages come back: packed again they perform the same, and training goes on from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from understudy.backend.models.compact import restored
from understudy.backend.motion.features import features_from_clip
from understudy.backend.packs.finding import find_pack
from understudy.backend.performance.pieces import FILE, read_pieces
from understudy.backend.pipeline import load_pipeline
from understudy.backend.protocol.messages import GenerateParams
from understudy.training.cli import main
from understudy.training.evaluation.retrieval import load_alignment
from understudy.training.packing.pack import read_recipe, write_pack
from understudy.training.packing.unpack import RECIPE, unpack
from understudy.training.stages import alignment, tokenizer
from understudy.training.stages.common import load_config
from understudy.training.stages.latents import load_tokenizers

from .test_stages import gait, store  # noqa: F401  (a fixture)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stages of the shipped default pack."""
    folder = tmp_path_factory.mktemp("runs")
    assert main(["unpack", "open", "--out", str(folder)]) == 0
    return folder


def test_what_is_packed_again_performs_the_same(runs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    again = write_pack(read_recipe(runs / RECIPE), tmp_path / "again", {})
    asked = GenerateParams(prompt="a person walks forward and sits down", seconds=4.0, seed=3)
    before, after = (load_pipeline(pack, engine="onnx").generate(asked)[0] for pack in ("open", str(again)))
    assert np.abs(before.joints() - after.joints()).max() < 1e-3
    assert find_pack(again).licence == find_pack("open").licence
    assert find_pack(again).data == find_pack("open").data
    assert (again / "README.md").read_text().startswith("# Pack `open`\n\nA small motion tokenizer")


def test_tokenizers_code_motion_and_the_vocabulary_spells(runs: Path) -> None:
    features, _ = features_from_clip(gait(120))
    shipped = load_pipeline("open", engine="onnx").engine.plan_codes(features)
    folders = {part: runs / f"tokenizer_{part}" for part in ("lower_trans", "upper")}
    for part, model in load_tokenizers(folders).items():
        with torch.no_grad():
            codes = model.quantize(model.encode(torch.from_numpy(features[part])[None])).codes[0, :, 0]
        assert np.mean(codes.numpy() == shipped[part][0]) > 0.95
        assert len(codes.unique()) > 1
    pieces = read_pieces(runs / "language" / FILE)
    assert pieces.decode(pieces.encode("a person walks").ids) == "a person walks"


def test_the_alignment_is_whole_again(runs: Path) -> None:
    shipped = restored(load_file(find_pack("open").file("alignment.safetensors")))
    state = load_alignment(runs / "alignment").state_dict()
    assert set(shipped) < set(state)
    assert all(torch.equal(state[key], value) for key, value in shipped.items())


def test_training_goes_on_from_what_was_unpacked(
    runs: Path,
    store: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    torch.set_num_threads(1)
    common = f"store: {store}\nsteps: 1\nbatch_size: 4\nwarmup: 1\nlog_every: 1\nevaluate_every: 1\n"
    path, start = tmp_path / "tokenizer.yaml", runs / "tokenizer_upper"
    path.write_text(
        f"{common}out: {tmp_path / 'upper'}\npart: upper\ninit_from: {start}\nlearning_rate: 1.0e-5\n"
        "model: {width: 256, latent: 64, codes: 256, quantizers: 6, norm: frame}\n"
    )
    numbers = tokenizer.run(load_config(tokenizer.TokenizerStage, path, []))
    assert numbers["joints_mm"] < 60
    before, after = (load_file(folder / "model.safetensors") for folder in (start, tmp_path / "upper"))
    assert torch.allclose(before["mean"], after["mean"])
    moved = (before["codebooks"] - after["codebooks"]).norm(dim=-1) / before["codebooks"].norm(dim=-1)
    assert 0 < moved[0].max() < 0.5, "codes keep their meaning, and learn"
    path = tmp_path / "alignment.yaml"
    path.write_text(
        f"{common}out: {tmp_path / 'alignment'}\ninit_from: {runs / 'alignment'}\nlearning_rate: 1.0e-6\nmodel: "
        "{width: 192, layers: 3, text_layers: 2, decoder_layers: 2, heads: 4, feed_forward: 512, max_frames: 160}\n"
    )
    alignment.run(load_config(alignment.AlignmentStage, path, []))
    before, after = (load_file(f / "model.safetensors") for f in (runs / "alignment", tmp_path / "alignment"))
    assert all(torch.allclose(before[key], after[key], atol=1e-4) for key in before)


def test_nothing_is_overwritten(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (runs / "language" / "model.safetensors").stat().st_mtime_ns
    assert main(["unpack", "open", "--out", str(runs)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (runs / "language" / "model.safetensors").stat().st_mtime_ns == before
    assert main(["unpack", "no-such-pack", "--out", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()


def test_a_failed_unpacking_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("understudy.training.packing.unpack.save_file", full)
    with pytest.raises(Exception, match="No space left"):
        unpack(find_pack("open"), tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())
