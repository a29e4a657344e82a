"""The dialogue in Blender: lines and screenplays in, two bodies that act them out; nothing changes where it fails."""

from __future__ import annotations

import importlib.util
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.addon.body.builtin import _armature
from understudy.addon.dialogue import lines as lines_module
from understudy.addon.dialogue import sounds
from understudy.addon.dialogue.lines import FIRST, SECOND, values_of
from understudy.addon.dialogue.orders import why_not
from understudy.addon.dialogue.screenplay import read, written
from understudy.addon.keying.keying import clip_from_action
from understudy.addon.perform.sound import strips_of
from understudy.addon.process.client import backend
from understudy.addon.process.slices import Work
from understudy.backend.protocol.replies import EMOTIONS

from .drawing import Layout, context, draw

Fake = Callable[[str], None]
KITCHEN = """Title: The kitchen

INT. KITCHEN - DAY

ANNA
(happy)
(nods)
You are late.
[[ANNA: sits down]]

BEN
I know. (beat)
(beat)
The train did not come.

ANNA
(whispering)
Never mind.
[[recording: anna 3.wav]]
"""
PLAIN = "\nANNA\nHello.\n\nBEN\nHello, Anna.\n\nANNA\nGoodbye.\n"


@pytest.fixture(autouse=True)
def backend_of_the_tests(fake: Fake) -> None:
    bpy.context.scene.render.fps = 30


def dialogue() -> Any:
    return bpy.context.scene.understudy_dialogue


def write(*said: tuple[str, str]) -> None:
    dialogue().lines.clear()
    for speaker, text in said:
        line = dialogue().lines.add()
        line.speaker, line.text = speaker, text


def talk() -> None:
    write((FIRST, "Hello."), (SECOND, "Hello, Anna."), (FIRST, "Goodbye."))


def sent() -> dict[str, Any]:
    assert backend.job is not None and backend.job.method == "dialogue"
    if importlib.util.find_spec("pydantic") is not None:  # the real backend would take it
        from understudy.backend.protocol.dialogue import DialogueParams

        DialogueParams.model_validate(backend.job.params)
    return backend.job.params


def bodies() -> list[bpy.types.Object]:
    return [dialogue().first.body, dialogue().second.body]


def strips() -> list[Any]:
    return list(strips_of(bpy.context.scene) or ())


def everything() -> dict[str, Any]:
    """What the file holds, by name; to see that nothing came and nothing went."""
    kinds = ("objects", "meshes", "armatures", "materials", "actions", "cameras", "sounds", "shape_keys")
    found: dict[str, Any] = {kind: sorted(thing.name for thing in getattr(bpy.data, kind)) for kind in kinds}
    scene = bpy.context.scene
    found["strips"], found["markers"] = len(strips()), len(scene.timeline_markers)
    found["range"], found["camera"] = (scene.frame_start, scene.frame_end), scene.camera
    layer = bpy.context.view_layer
    found["active"] = layer.objects.active
    found["selected"] = [o.name for o in layer.objects if o.select_get()]
    found["playing"] = [o.animation_data.action for o in scene.objects if o.animation_data is not None]
    return found


# -- lines ------------------------------------------------------------------------------------------------


def test_lines_come_in_turn_move_and_go() -> None:
    assert not bpy.ops.understudy.dialogue_line_remove.poll()
    for _ in range(3):
        assert bpy.ops.understudy.dialogue_line_add() == {"FINISHED"}
    assert [line.speaker for line in dialogue().lines] == [FIRST, SECOND, FIRST]
    for line, text in zip(dialogue().lines, "abc", strict=True):
        line.text = text
    dialogue().active = 1
    dialogue().lines[1].emotion = "angry"
    bpy.ops.understudy.dialogue_line_duplicate()
    assert [line.text for line in dialogue().lines] == ["a", "b", "b", "c"]
    assert dialogue().lines[2].emotion == "angry" and dialogue().active == 2
    bpy.ops.understudy.dialogue_line_move(direction="DOWN")
    assert [line.text for line in dialogue().lines] == ["a", "b", "c", "b"]
    assert bpy.ops.understudy.dialogue_line_move(direction="DOWN") == {"CANCELLED"}
    bpy.ops.understudy.dialogue_line_remove()
    bpy.ops.understudy.dialogue_line_turn(index=0)
    assert [(line.speaker, line.text) for line in dialogue().lines] == [
        (SECOND, "a"),
        (SECOND, "b"),
        (FIRST, "c"),
    ]
    before = dialogue().seed
    bpy.ops.understudy.dialogue_seed()
    assert dialogue().seed != before


def test_the_panels_limits_are_the_backends() -> None:
    protocol = pytest.importorskip("understudy.backend.protocol.dialogue", reason="needs pydantic")
    assert lines_module.MAX_LINES == protocol.MOST_LINES
    assert lines_module.LONGEST_LINE == protocol.LONGEST_LINE
    assert lines_module.DISTANCE == protocol.DISTANCE
    assert set(lines_module.LABELS) == set(EMOTIONS)


def test_why_it_cannot_be_performed() -> None:
    assert why_not(bpy.context) == "Add a line, or import a screenplay."
    write((FIRST, "Hello."), (SECOND, " …"))
    assert why_not(bpy.context) == "Write what line 2 says."
    write((FIRST, "Hello."), (FIRST, "Anybody there?"))
    assert why_not(bpy.context) == "BEN says nothing. A dialogue needs two speakers."
    dialogue().second.name = "anna "
    assert why_not(bpy.context) == "The two speakers have the same name."
    dialogue().second.name = "Carla"
    talk()
    assert why_not(bpy.context) == ""
    dialogue().by = "retrieval"
    assert why_not(bpy.context) == "Choose the folder of the clips."
    dialogue().by = "generation"
    dialogue().first.body = dialogue().second.body = _armature(bpy.context, "One")
    assert "Both speakers have the same body" in why_not(bpy.context)
    with pytest.raises(RuntimeError, match="Both speakers have the same body"):
        bpy.ops.understudy.dialogue()


# -- screenplays ------------------------------------------------------------------------------------------


def test_a_screenplay_becomes_lines(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.fountain"
    path.write_text(KITCHEN, encoding="utf-8")
    assert bpy.ops.understudy.import_fountain(filepath=str(path)) == {"FINISHED"}
    first, second, third = (values_of(line) for line in dialogue().lines)
    assert (dialogue().first.name, dialogue().second.name, dialogue().title) == ("ANNA", "BEN", "The kitchen")
    assert first == {
        "speaker": FIRST,
        "text": "You are late.",
        "emotion": "happy",
        "direction": "nods",
        "performs": "sits down",
        "recording": "",
    }
    assert second["speaker"] == SECOND and second["text"].endswith("The train did not come.")
    assert (third["direction"], third["recording"]) == ("whispering", str(tmp_path / "anna 3.wav"))


def test_a_screenplay_from_the_text_editor() -> None:
    assert not bpy.ops.understudy.dialogue_from_text.poll()
    bpy.data.texts.new("Scene 1").write(PLAIN)
    assert bpy.ops.understudy.dialogue_from_text(text="Scene 1") == {"FINISHED"}
    assert [line.text for line in dialogue().lines] == ["Hello.", "Hello, Anna.", "Goodbye."]
    with pytest.raises(RuntimeError, match="There is no text “Scene 2”"):
        bpy.ops.understudy.dialogue_from_text(text="Scene 2")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\nANNA\nHello.\n", "A dialogue has two speakers, this screenplay has 1: ANNA."),
        (b"\nA\nHi.\n\nB\nHi.\n\nC\nHi.\n", "this screenplay has 3: A, B, C."),
        (b"\nANNA\n(angry\nHello.\n", "Line 3: the direction has no closing parenthesis."),
        (b"no speech at all", "Nobody says anything in this screenplay."),
        (b"\xff\xfe\x00", "is not a text file in UTF-8."),
    ],
)
def test_what_cannot_be_followed_changes_nothing(tmp_path: Path, content: bytes, sentence: str) -> None:
    talk()
    path = tmp_path / "bad.fountain"
    path.write_bytes(content)
    for operator in (bpy.ops.understudy.import_fountain, bpy.ops.understudy.dialogue):
        with pytest.raises(RuntimeError, match=sentence.replace(".", r"\.")):
            operator(filepath=str(path))
    assert len(dialogue().lines) == 3 and not bpy.data.objects


_SAID = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=60
).filter(lambda text: any(letter.isalnum() for letter in text))
_PLAIN = st.text("abcdefghij klmnop", max_size=30).map(lambda text: " ".join(text.split()))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), _SAID, st.sampled_from(EMOTIONS), _PLAIN), min_size=2, max_size=5),
    st.sampled_from([("Anna", "Ben"), ("李", "R2-D2"), ("Int. Voice", "O'Neill")]),
)
def test_what_is_written_is_read_again(
    given_lines: list[tuple[bool, str, str, str]], names: tuple[str, str]
) -> None:
    dialogue().first.name, dialogue().second.name = names
    write(*((FIRST if i % 2 == 0 else SECOND, said) for i, (_, said, _, _) in enumerate(given_lines)))
    for line, (moves, _, emotion, performs) in zip(dialogue().lines, given_lines, strict=True):
        line.emotion, line.performs = emotion, performs if moves else ""
    before = [values_of(line) for line in dialogue().lines]
    text = written(dialogue())
    read(dialogue(), text)
    after = [values_of(line) for line in dialogue().lines]
    assert (dialogue().first.name, dialogue().second.name) == tuple(name.upper() for name in names)
    for old, new in zip(before, after, strict=True):
        assert {k: old[k] for k in old if k != "text"} == {k: new[k] for k in new if k != "text"}
    assert written(dialogue()) == text, "a second time nothing is different"


def test_export_writes_what_import_reads(tmp_path: Path) -> None:
    talk()
    dialogue().lines[0].emotion, dialogue().lines[0].direction = "sad", "waves"
    path = tmp_path / "out.fountain"
    assert bpy.ops.understudy.export_fountain(filepath=str(path)) == {"FINISHED"}
    before = [values_of(line) for line in dialogue().lines]
    dialogue().lines.clear()
    bpy.ops.understudy.import_fountain(filepath=str(path))
    assert [values_of(line) for line in dialogue().lines] == before
    assert list(tmp_path.iterdir()) == [path]


# -- performing -------------------------------------------------------------------------------------------


def test_two_bodies_act_the_lines_in_one_world() -> None:
    talk()
    scene = bpy.context.scene
    scene.frame_set(11)
    scene.cursor.location = (2.0, 3.0, 0.0)
    dialogue().lines[1].emotion, dialogue().lines[1].performs = "happy", " shrugs  twice "
    dialogue().distance, dialogue().seed, dialogue().second.voice = 1.2, 7, "en-us+f3"
    assert bpy.ops.understudy.dialogue() == {"FINISHED"}
    assert sent()["distance"] == 1.2 and sent()["seed"] == 7 and sent()["voices"] == {"BEN": "en-us+f3"}
    assert sent()["lines"][1] == {
        "speaker": "BEN",
        "text": "Hello, Anna.",
        "emotion": "happy",
        "performs": "shrugs twice",
    }
    anna, ben = bodies()
    assert [body.animation_data.action.name for body in (anna, ben)] == ["Anna", "Ben"]
    assert tuple(anna.animation_data.action.frame_range) == (11, 100)
    scene.frame_set(11)
    bpy.context.view_layer.update()
    heads = [body.matrix_world @ body.pose.bones["pelvis"].head for body in (anna, ben)]
    assert (heads[1] - heads[0]).length == pytest.approx(1.2, abs=1e-3)
    assert tuple((0.5 * (heads[0] + heads[1])).xy) == pytest.approx((2.0, 3.0), abs=1e-2), "around the cursor"
    assert [(line.start, line.end) for line in dialogue().lines] == [(17, 38), (47, 68), (77, 98)]
    if bpy.app.build_options.audaspace:
        (strip,) = strips()
        assert strip.frame_final_start == 11 and strip.sound.packed_file is not None
        assert Path(strip.sound.filepath).parent == sounds.folder()


def test_bodies_that_are_there_meet_in_one_world() -> None:
    """However their objects stand: turned, moved, of another size."""
    talk()
    one, other = _armature(bpy.context, "One"), _armature(bpy.context, "Other")
    one.location, one.rotation_euler = (1.0, 2.0, 0.5), (0.0, 0.0, 0.7)
    other.location, other.rotation_euler, other.scale = (-4.0, 1.0, 0.0), (0.0, 0.0, -2.1), (2.0, 2.0, 2.0)
    dialogue().first.body, dialogue().second.body = one, other
    count = len(bpy.data.objects)
    assert bpy.ops.understudy.dialogue() == {"FINISHED"}
    assert len(bpy.data.objects) == count, "nobody was added"
    bpy.context.scene.frame_set(1)
    bpy.context.view_layer.update()
    hips = [body.matrix_world @ body.pose.bones["pelvis"].head for body in (one, other)]
    assert (hips[1] - hips[0]).length == pytest.approx(1.4, abs=1e-3)
    way = (hips[1] - hips[0]).normalized()
    fronts = [
        (body.matrix_world.to_3x3() @ body.pose.bones["pelvis"].matrix.to_3x3().col[2]).normalized()
        for body in (one, other)
    ]
    assert fronts[0].dot(way) > 0.99 and fronts[1].dot(way) < -0.99


def test_a_second_run_takes_the_place_of_the_first() -> None:
    talk()
    dialogue().cuts = True
    assert bpy.ops.understudy.dialogue() == {"FINISHED"}
    first, folder = everything(), sorted(sounds.folder().iterdir()) if sounds.folder().is_dir() else []
    poses = clip_from_action(bodies()[0]).poses
    assert len(bpy.context.scene.timeline_markers) == 4
    assert bpy.ops.understudy.dialogue(seed=3) == {"FINISHED"}
    second = everything()
    for kind in ("objects", "actions", "cameras", "strips", "markers", "meshes", "materials"):
        assert second[kind] == first[kind], kind
    assert len(sorted(sounds.folder().iterdir())) == len(folder) or not bpy.app.build_options.audaspace
    assert np.abs(clip_from_action(bodies()[0]).poses - poses).max() > 0.05
    dialogue().cuts = False
    bpy.ops.understudy.dialogue()
    assert not bpy.data.cameras and not bpy.context.scene.timeline_markers


def test_work_of_the_animator_stays_in_the_file() -> None:
    talk()
    bpy.ops.understudy.dialogue()
    edited = bodies()[0].animation_data.action
    clip = clip_from_action(bodies()[0])
    curve = _curves(edited)[0]
    curve.keyframe_points[3].co[1] += 0.5
    own = bpy.data.actions.new("mine")
    bodies()[1].animation_data.action = own
    bpy.context.scene.timeline_markers.new("my own", frame=5)
    bpy.ops.understudy.dialogue()
    assert edited.use_fake_user and own.use_fake_user
    assert [marker.name for marker in bpy.context.scene.timeline_markers] == ["my own"]
    assert np.abs(clip_from_action(bodies()[0]).poses - clip.poses).max() < 1e-5, "played again as it was"


def _curves(action: bpy.types.Action) -> Any:
    if not hasattr(action, "slots"):
        return action.fcurves
    return action.layers[0].strips[0].channelbags[0].fcurves


def test_cameras_cut_to_the_speaker_around_the_bodies() -> None:
    talk()
    scene = bpy.context.scene
    scene.cursor.location, dialogue().cuts = (5.0, -2.0, 0.0), True
    bpy.ops.understudy.dialogue()
    markers = sorted((marker.frame, marker.camera.name) for marker in scene.timeline_markers)
    assert markers == [(1, "Camera"), (3, "Camera Anna"), (33, "Camera Ben"), (63, "Camera Anna")]
    bpy.context.view_layer.update()
    for name, body in zip(("Camera Anna", "Camera Ben"), bodies(), strict=True):
        camera = scene.objects[name]
        way = body.matrix_world @ body.pose.bones["head"].head - camera.matrix_world.translation
        assert np.degrees(way.angle(-camera.matrix_world.col[2].to_3d())) < 20.0


def test_a_script_performs_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plain.fountain"
    path.write_text(PLAIN, encoding="utf-8")
    assert bpy.ops.understudy.dialogue(filepath=str(path), seed=5) == {"FINISHED"}
    assert sent()["script"] == PLAIN and sent()["seed"] == 5 and "lines" not in sent()
    assert [line.text for line in dialogue().lines] == ["Hello.", "Hello, Anna.", "Goodbye."]
    assert all(body.animation_data.action for body in bodies())
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.understudy.dialogue(filepath=str(tmp_path / "gone.fountain"))


def test_an_unchanged_screenplay_is_sent_whole_and_a_changed_one_as_lines() -> None:
    read(dialogue(), PLAIN)
    bpy.ops.understudy.dialogue()
    assert sent()["script"] == PLAIN
    dialogue().lines[0].text = "Good evening."
    bpy.ops.understudy.dialogue()
    assert sent()["lines"][0]["text"] == "Good evening." and "script" not in sent()


def test_who_speaks_first_does_not_change_who_is_who() -> None:
    write((SECOND, "Hello."), (FIRST, "Hello, Ben."))
    one, other = _armature(bpy.context, "One"), _armature(bpy.context, "Other")
    dialogue().first.body, dialogue().second.body = one, other
    bpy.ops.understudy.dialogue()
    assert (one.animation_data.action.name, other.animation_data.action.name) == ("Anna", "Ben")
    assert bodies() == [one, other]


def test_recordings_are_sent_by_their_paths(tmp_path: Path) -> None:
    talk()
    path = tmp_path / "1.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(3200))
    dialogue().lines[0].recording = str(path)
    bpy.ops.understudy.dialogue()
    assert sent()["lines"][0]["recording"] == str(path)
    dialogue().lines[2].recording = str(tmp_path / "3.wav")
    with pytest.raises(RuntimeError, match=r"Line 3: there is no sound file 3\.wav in its folder\."):
        bpy.ops.understudy.dialogue()


def test_retrieval_names_its_folder(tmp_path: Path) -> None:
    talk()
    dialogue().by, dialogue().library, dialogue().touches = "retrieval", str(tmp_path), False
    bpy.ops.understudy.dialogue()
    assert (sent()["by"], sent()["library"], sent()["touches"]) == ("retrieval", str(tmp_path), False)
    dialogue().library = str(tmp_path / "gone")
    with pytest.raises(RuntimeError, match="There is no folder gone"):
        bpy.ops.understudy.dialogue()


@pytest.mark.parametrize("behaviour", ["fails", "dies", "rubbish"])
@pytest.mark.parametrize("there", [False, True])
def test_a_failed_dialogue_leaves_the_scene_as_it_was(fake: Fake, behaviour: str, there: bool) -> None:
    talk()
    if there:
        dialogue().first.body = _armature(bpy.context, "One")
        dialogue().first.body.animation_data_create().action = bpy.data.actions.new("mine")
    before = everything()
    fake(behaviour)
    with pytest.raises(RuntimeError):
        bpy.ops.understudy.dialogue()
    assert everything() == before and backend.error is not None
    assert not sounds.folder().is_dir() or not any(sounds.folder().iterdir())


def test_a_dialogue_that_is_stopped_between_two_slices_leaves_nothing() -> None:
    """As undo, Cancel and loading a file stop it."""
    from understudy.addon.dialogue.acting import acting
    from understudy.addon.dialogue.orders import take_order

    talk()
    dialogue().cuts = True
    order = take_order(bpy.context)
    job = backend.submit(order.params, "dialogue")
    backend.wait(job)
    before = everything()
    slices = sum(1 for _ in acting(order, job.answer))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    talk()
    dialogue().cuts = True
    order = take_order(bpy.context)
    assert slices > 100
    for stop in (1, 2, 3, 10, slices // 2, slices - 1):
        steps = acting(order, job.answer)
        for _ in range(stop):
            next(steps)
        steps.close()
        assert everything() == before, stop
    assert Work(acting(order, job.answer)).finish()


class Operator(SimpleNamespace):
    """Stands in for the instance that a window has."""

    def report(self, kind: set[str], text: str) -> None:
        self.said.append(text)


def in_a_window(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Callable[[], set[str]]]:
    """The operator as a window runs it: an instance, and a function that lets the timer tick once."""
    from understudy.addon.dialogue.operators import UNDERSTUDY_OT_dialogue as cls
    from understudy.addon.dialogue.running import Running
    from understudy.addon.process import slices

    monkeypatch.setattr(slices.Timer, "add", classmethod(lambda *a: object()))
    monkeypatch.setattr(slices.Timer, "remove", classmethod(lambda *a: None))
    operator = Operator(said=[], filepath="", _work=None, _timer=None)
    operator.properties = SimpleNamespace(is_property_set=lambda name: False)
    for name in ("asked", "_stop", "_done", "modal", "cancel", "invoke"):
        function = getattr(cls, name, None) or getattr(Running, name)
        setattr(operator, name, function.__get__(operator))
    manager = SimpleNamespace(modal_handler_add=lambda op: True)
    at = SimpleNamespace(
        scene=bpy.context.scene, window_manager=manager, window=None, view_layer=bpy.context.view_layer
    )
    assert operator.invoke(at, None) == {"RUNNING_MODAL"}
    return operator, lambda: operator.modal(at, SimpleNamespace(type="TIMER"))


def test_in_a_window_it_goes_on_in_slices_and_can_be_cancelled(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk()
    before = everything()
    operator, tick = in_a_window(monkeypatch)
    while tick() == {"PASS_THROUGH"} and backend.job.stage != "key":
        pass
    assert backend.busy and "Keying" in " ".join(draw(bpy.types.UNDERSTUDY_PT_dialogue))
    bpy.ops.understudy.cancel()
    assert tick() == {"CANCELLED"} and everything() == before and operator.said == ["Cancelled."]
    operator, tick = in_a_window(monkeypatch)
    while (result := tick()) == {"PASS_THROUGH"}:
        pass
    assert result == {"FINISHED"} and not backend.busy and len(bodies()) == 2
    assert "talk for" in operator.said[0]


def test_cancelled_while_the_backend_works(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("slow")
    talk()
    before = everything()
    _, tick = in_a_window(monkeypatch)
    while not backend.job.stage:
        assert tick() == {"PASS_THROUGH"}
    assert "Speaking the lines" in " ".join(draw(bpy.types.UNDERSTUDY_PT_dialogue))
    backend.cancel()
    assert tick() == {"CANCELLED"} and everything() == before


def test_the_dialogue_survives_saving_and_loading(tmp_path: Path) -> None:
    talk()
    bpy.ops.understudy.dialogue()
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert [line.text for line in dialogue().lines] == ["Hello.", "Hello, Anna.", "Goodbye."]
    assert all(body.animation_data.action for body in bodies())
    objects = len(bpy.data.objects)
    bpy.ops.understudy.dialogue(seed=9)
    assert len(bpy.data.objects) == objects and len(bpy.data.actions) == 2
    assert len(strips()) == (1 if bpy.app.build_options.audaspace else 0)


# -- the panel --------------------------------------------------------------------------------------------


def test_the_panel_in_every_state(fake: Fake) -> None:
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_dialogue))
    assert "Two characters act what you write" in shown and "<understudy.import_fountain>" in shown
    talk()
    fake("warns")
    dialogue().by = "retrieval"
    assert "Choose the folder of the clips." in draw(bpy.types.UNDERSTUDY_PT_dialogue)
    dialogue().by = "generation"
    bpy.ops.understudy.dialogue()
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_dialogue))
    assert "talk for 3.0 s" in shown and "A direction was not understood." in shown
    for name in ("scene", "files"):
        assert draw(getattr(bpy.types, f"UNDERSTUDY_PT_dialogue_{name}"))
    layout = Layout()
    for index, line in enumerate(dialogue().lines):
        bpy.types.UNDERSTUDY_UL_dialogue.draw_item(
            None, context(), layout, dialogue(), line, 0, dialogue(), "active", index
        )
    assert "7–28" in " ".join(layout.seen)
    fake("fails")
    backend.stop()
    with pytest.raises(RuntimeError, match="Line 3"):
        bpy.ops.understudy.dialogue()
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_dialogue))
    assert "Line 3: the direction has no closing parenthesis." in shown
