"""A stand-in for the backend: the same protocol, written here a second time, and no model behind it.

Run as ``python fake_backend.py ROOT BEHAVIOUR``. The motion is procedural: the body walks along +Z at
1 m/s and turns its head by an amount that depends on the seed. An edit keeps the given clip outside, and
every constraint is reported as missed by its number in centimetres.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import sys
import threading
import time
import wave

root, behaviour = sys.argv[1:3]
spec = importlib.util.spec_from_file_location(
    "understudy", root + "/__init__.py", submodule_search_locations=[root]
)
package = importlib.util.module_from_spec(spec)
sys.modules["understudy"] = package
spec.loader.exec_module(package)

import numpy as np  # noqa: E402

from understudy.backend.dialogue.fountain import parse  # noqa: E402
from understudy.backend.motion import npz  # noqa: E402
from understudy.backend.motion.clip import Clip, resample  # noqa: E402
from understudy.backend.motion.loop import loop  # noqa: E402

out = sys.stdout.buffer
lock = threading.Lock()
cancelled: set[int] = set()


def send(message: dict) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    with lock:
        out.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        out.flush()


def motion(seconds: float, seed: int) -> Clip:
    frames = max(round(seconds * 30), 1)
    poses = np.zeros((frames, 55, 3))
    time_ = np.arange(frames) / 30
    poses[:, 15, 1] = np.sin(time_) * (0.1 + seed % 7 / 10)
    poses[:, 1, 0] = np.sin(5 * time_) * 0.5
    trans = np.zeros((frames, 3))
    trans[:, 1], trans[:, 2] = 1.31, time_
    meta = {"prompt": "fake", "seed": seed, "pack": "open", "licence": "CC0-1.0"}
    return Clip(poses, trans, 30.0, meta=meta)


def edited(params: dict) -> Clip:
    """The given clip with the part between two times made anew, at its own frame rate."""
    edit = params["edit"]
    given = npz.clip_from_bytes(base64.b64decode(edit["npz"]))
    first = round(edit["start"] * given.fps)
    if edit["end"] is None:
        new = resample(motion(params["seconds"] or 4.0, params["seed"]), given.fps)
        poses = np.concatenate([given.poses[: first + 1], new.poses[1:]])
        trans = np.concatenate([given.trans[: first + 1], given.trans[first] + new.trans[1:] - new.trans[0]])
    else:
        last = round(edit["end"] * given.fps)
        poses, trans = np.array(given.poses), np.array(given.trans)
        new = motion(60.0, params["seed"])
        poses[first + 1 : last] = new.poses[: last - first - 1]
    meta = {**given.meta, "prompt": params["prompt"], "seed": params["seed"]}
    return Clip(poses, trans, given.fps, meta=meta)


def reported(constraints: dict) -> list[dict]:
    found = [("path", 0.0)] if "path" in constraints else []
    found += [("waypoint", w["time"]) for w in constraints.get("waypoints", [])]
    found += [(f"pin {p['joint']}", p["start"]) for p in constraints.get("pins", [])]
    found += [("pose", p["time"]) for p in constraints.get("poses", [])]
    return [{"constraint": name, "time": t, "error_cm": float(i)} for i, (name, t) in enumerate(found)]


def generate(number: int, params: dict) -> None:
    if behaviour == "fails":
        data = {
            "code": "bad_input",
            "message": "The pack is not there.",
            "hint": "Pick one.",
            "field": "pack",
        }
        send({"id": number, "error": {"code": -32602, "message": data["message"], "data": data}})
        return
    if behaviour == "dies":
        sys.stderr.buffer.write(b"a model file is broken \xff.\n")
        sys.stderr.flush()
        os._exit(3)
    steps = {"slow": 2000, "deaf": 20}.get(behaviour, 3)
    for step in range(steps):
        if number in cancelled and behaviour != "deaf":
            data = {"code": "cancelled", "message": "Cancelled.", "hint": "", "field": ""}
            send({"id": number, "error": {"code": -32800, "message": "Cancelled.", "data": data}})
            return
        progress = {"id": number, "stage": "refine", "step": step, "total": steps}
        send({"method": "progress", "params": {**progress, "seconds_left": (steps - step) * 0.01}})
        time.sleep(0.01)
    seconds = params.get("seconds") or 4.0
    lines, at = [], 0.0
    for line in params.get("script", []):
        lines.append({**line, "start": at, "end": at + line["seconds"]})
        at += line["seconds"]
    seconds = at or seconds
    if params.get("speech"):
        with wave.open(params["speech"]) as sound:
            seconds = sound.getnframes() / sound.getframerate()
    clips = []
    for sample in range(params.get("samples", 1)):
        seeded = {**params, "seed": params["seed"] + sample}
        clip = edited(seeded) if "edit" in params else motion(seconds, seeded["seed"])
        if params.get("loop"):
            clip = loop(clip, start=0, stop=len(clip), path="advance")
        asked = {"direction": reported(params["constraints"])} if params.get("constraints") else {}
        clip = clip.replace(meta={**clip.meta, **asked, **({"script": lines} if lines else {})})
        target = io.BytesIO()
        npz.write_clip(clip, target)
        encoded = base64.b64encode(target.getvalue()).decode()
        if behaviour == "rubbish":
            encoded = base64.b64encode(b"this is no zip").decode()
        facts = {"frames": len(clip), "fps": clip.fps, "seconds": clip.seconds, "meta": clip.meta}
        clips.append({"npz": encoded, **facts})
    result = {"clips": clips, "seconds_taken": 0.03}
    if behaviour == "warns" and "walk" not in params["prompt"]:
        result["warnings"] = [f"The pack open knows little like “{params['prompt']}”."]
    send({"id": number, "result": result})


def silence(seconds: float) -> str:
    """Base64 of a WAV file at 24 kHz in which nothing is heard."""
    target = io.BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setparams((1, 2, 24000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * round(24000 * seconds)))
    return base64.b64encode(target.getvalue()).decode()


def refused(number: int, code: str, sentence: str, field: str = "") -> None:
    data = {"code": code, "message": sentence, "hint": "", "field": field}
    send({"id": number, "error": {"code": -32602, "message": sentence, "data": data}})


def steps(number: int, stage: str) -> bool:
    """Work for a while; whether it was cancelled."""
    total = 2000 if behaviour == "slow" else 3
    for step in range(total):
        if number in cancelled:
            refused(number, "cancelled", "Cancelled.")
            return True
        send({"method": "progress", "params": {"id": number, "stage": stage, "step": step, "total": total}})
        time.sleep(0.01)
    return False


def standing(x: float, yaw: float, seconds: float, seed: int) -> str:
    """Base64 of a clip that stands at x and looks along yaw, the head turning by an amount of the seed."""
    clip = motion(seconds, seed)
    poses, trans = np.array(clip.poses), np.array(clip.trans)
    poses[:, 0, 1] = yaw
    trans[:, 0], trans[:, 2] = x, 0.0
    return base64.b64encode(npz.clip_to_bytes(Clip(poses, trans, 30.0, meta=clip.meta))).decode()


def dialogue(number: int, params: dict) -> None:
    """A second for every line; the first speaker on -X, both facing each other."""
    if behaviour == "fails":
        refused(number, "bad_input", "Line 3: the direction has no closing parenthesis.", "script")
        return
    if behaviour == "dies":
        os._exit(3)
    if steps(number, "voices"):
        return
    if "lines" in params:
        said = [(line["speaker"], line["text"]) for line in params["lines"]]
    else:
        said = [(speech.speaker, speech.text) for speech in parse(params["script"]).speeches]
    names = list(dict.fromkeys(speaker for speaker, _ in said))
    half, seconds = params["distance"] / 2, float(len(said))
    if behaviour == "rubbish":
        names = names[:1]
    result = {
        "clips": [
            standing(-half, np.pi / 2, seconds, params["seed"]),
            standing(half, -np.pi / 2, seconds, params["seed"] + 1),
        ],
        "names": names,
        "sound": silence(seconds),
        "turns": [
            {"number": i + 1, "speaker": speaker, "text": text, "start": i + 0.2, "end": i + 0.9}
            for i, (speaker, text) in enumerate(said)
        ],
        "distance": params["distance"],
        "measures": {"turned_deg": 0.0},
        "warnings": ["A direction was not understood."] if behaviour == "warns" else [],
        "seconds_taken": 0.1,
    }
    send({"id": number, "result": result})


def chat(number: int, params: dict) -> None:
    """Say back what was said; two seconds of motion that go on where the last answer ended."""
    if behaviour == "fails":
        refused(number, "job_failed", "The endpoint does not answer.")
        return
    if steps(number, "refine"):
        return
    heard = params.get("text") or "(a recording)"
    clip = motion(2.0, params["seed"])
    if "previous" in params:
        before = npz.clip_from_bytes(base64.b64decode(params["previous"]))
        assert before.fps == 30.0, "the backend goes on at 30 frames a second"
        clip = clip.replace(trans=clip.trans - clip.trans[0] + before.trans[-1])
    name = params.get("character", {}).get("name", "The one of the file")
    answer = {"who": "character", "text": f"{name} heard: {heard}", "emotion": "happy", "motion": "waves"}
    memory = [*params["memory"], {"who": "user", "text": heard, "emotion": "", "motion": ""}, answer]
    endpoint = params.get("endpoint")
    result = {
        **{key: answer[key] for key in ("text", "emotion", "motion")},
        "clip": base64.b64encode(npz.clip_to_bytes(clip)).decode(),
        "frames": len(clip),
        "fps": clip.fps,
        "sound": None if behaviour == "warns" else silence(clip.seconds),
        "seconds": clip.seconds,
        "author": "offline" if endpoint is None else endpoint["model"],
        "heard": heard,
        "memory": memory,
        "warnings": ["The answer is silent."] if behaviour == "warns" else [],
    }
    send({"id": number, "result": result})


def search(number: int, params: dict) -> None:
    """The files of the folders, those whose name is in the query first."""
    paths = sorted(os.path.join(f, n) for f in params["folders"] for n in os.listdir(f))
    if behaviour == "fails":
        data = {"code": "bad_input", "message": "The folder is gone.", "hint": "", "field": "folder"}
        send({"id": number, "error": {"code": -32602, "message": data["message"], "data": data}})
        return
    for step in range(2000 if behaviour == "slow" else 3):
        if number in cancelled:
            data = {"code": "cancelled", "message": "Cancelled.", "hint": "", "field": ""}
            send({"id": number, "error": {"code": -32800, "message": "Cancelled.", "data": data}})
            return
        send({"method": "progress", "params": {"id": number, "stage": "read", "step": step, "total": 3}})
        time.sleep(0.01)
    results, skipped = [], []
    for path in paths:
        try:
            clip = npz.read_clip(path)
        except Exception as error:
            skipped.append({"path": path, "why": str(error)})
            continue
        name = os.path.splitext(os.path.basename(path))[0]
        facts = {
            "frames": len(clip),
            "fps": clip.fps,
            "seconds": clip.seconds,
            "layout": "fake",
            "start": 0,
            "stop": 1,
        }
        results.append(
            {
                "path": path,
                "score": 0.9 if name in params["query"] else 0.1,
                "text": f"somebody {name}s",
                **facts,
            }
        )
    results.sort(key=lambda one: -one["score"])
    result = {
        "results": results[: params["limit"]],
        "skipped": skipped,
        "read": len(results),
        "seconds_taken": 0.1,
    }
    send({"id": number, "result": result})


def main() -> None:
    if behaviour == "silent":
        time.sleep(600)
    if behaviour == "babbles":
        out.write(b"Welcome to the machine!\n")
        out.flush()
    if behaviour == "floods":  # more than a pipe holds: blocks unless somebody reads stderr
        sys.stderr.write("x" * 2_000_000 + "\n")
        sys.stderr.flush()
    source = sys.stdin.buffer
    while True:
        header = source.readline()
        if not header:
            return
        length = int(header.split(b":")[1])
        source.readline()
        message = json.loads(source.read(length))
        number, params = message.get("id"), message.get("params", {})
        if message["method"] == "initialize":
            packs = [{"name": "open", "version": "1.0", "licence": "CC-BY-4.0"}]
            info = {"protocol": 99 if behaviour == "newer" else params["protocol"], "packs": packs}
            send({"id": number, "result": {**info, "engines": [{"name": "fake", "version": "1"}]}})
        elif message["method"] == "generate":
            threading.Thread(target=generate, args=(number, params), daemon=True).start()
        elif message["method"] == "dialogue":
            threading.Thread(target=dialogue, args=(number, params), daemon=True).start()
        elif message["method"] == "chat":
            threading.Thread(target=chat, args=(number, params), daemon=True).start()
        elif message["method"] == "search":
            threading.Thread(target=search, args=(number, params), daemon=True).start()
        elif message["method"] == "describe":
            clip = npz.clip_from_bytes(base64.b64decode(params["npz"]))
            send(
                {
                    "id": number,
                    "result": {"texts": [f"a person moves for {clip.seconds:.1f} s"], "sentences": []},
                }
            )
        elif message["method"] == "cancel":
            cancelled.add(params["id"])
            send({"id": number, "result": {}})
        else:
            send({"id": number, "result": {}})
            return


main()
