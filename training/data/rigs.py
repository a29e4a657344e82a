"""How the joint names of each source skeleton map onto ours. Facts only; the method is in ``retarget``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...backend.motion.skeleton import PARTS
from ..retargeting.retarget import Drive, Foot, Rig


def _sides(
    build: dict[str, tuple[tuple[tuple[str, float], ...], tuple[str, str, str] | tuple[()]]],
    left: str,
    right: str,
) -> dict[str, Drive]:
    """Both sides from a table written for ``{s}`` (ours: ``left``) with the source's words for a side."""
    drives = {}
    for ours, theirs in (("left", left), ("right", right)):
        for name, (sources, bone) in build.items():
            drives[name.format(s=ours)] = Drive(
                tuple((source.format(s=theirs), weight) for source, weight in sources),
                tuple(x.format(s=o) for x, o in zip(bone, (ours, theirs, theirs), strict=True))
                if bone
                else (),  # type: ignore[arg-type]
            )
    return drives


def _one(name: str) -> tuple[tuple[str, float], ...]:
    return ((name, 1.0),)


# CMU's heads look straight ahead when they are turned by 16 degrees: the T-pose that was added to the
# MotionBuilder files turns the three neck and head joints by -16, 21 and 11 degrees, the same in all
# subjects, and walkers' heads agree with it (median pitch 16 degrees down before, level after).
# In the same T-pose the thighs turn by 21 degrees to close the legs, and the feet go with them.
_LEGS_APART = np.radians(21.0)
_HEAD_TILT, _NECK_TILT = np.radians(-16.0), np.radians(5.5)

ASF = Rig(
    drives={
        "pelvis": Drive(_one("root")),
        "spine1": Drive(_one("lowerback")),
        "spine2": Drive(_one("upperback")),
        "spine3": Drive(_one("thorax")),
        "neck": Drive((("lowerneck", 1.0), ("upperneck", 1.0)), tilt=_NECK_TILT),
        "head": Drive(_one("head"), tilt=_HEAD_TILT),
        **_sides(
            {
                "{s}_hip": (_one("{s}femur"), ("{s}_knee", "{s}femur", "{s}tibia")),
                "{s}_knee": (_one("{s}tibia"), ("{s}_ankle", "{s}tibia", "{s}foot")),
                "{s}_collar": (_one("{s}clavicle"), ("{s}_shoulder", "{s}clavicle", "{s}humerus")),
                "{s}_shoulder": (_one("{s}humerus"), ("{s}_elbow", "{s}humerus", "{s}radius")),
                # The wrist bone runs on along the forearm and only twists: share that twist with the forearm.
                "{s}_elbow": ((("{s}radius", 1.0), ("{s}wrist", 1.0)), ("{s}_wrist", "{s}radius", "{s}wrist")),
                "{s}_wrist": (_one("{s}hand"), ("{s}_middle1", "{s}hand", "{s}fingers")),
            },
            "l", "r",
        ),
    },
    hips=("lfemur", "rfemur"),
    legs=(("lfemur", "ltibia", "lfoot"), ("rfemur", "rtibia", "rfoot")),
    feet=(Foot("lfoot", "ltoes", "ltoes", roll=-_LEGS_APART), Foot("rfoot", "rtoes", "rtoes", roll=_LEGS_APART)),
)  # fmt: skip

# The other CMU skeletons carry the same bones under other names, so their joints are renamed to ASF's.
MOTIONBUILDER_NAMES = {
    "Hips": "root", "LHipJoint": "lhipjoint", "LeftUpLeg": "lfemur", "LeftLeg": "ltibia", "LeftFoot": "lfoot",
    "LeftToeBase": "ltoes", "RHipJoint": "rhipjoint", "RightUpLeg": "rfemur", "RightLeg": "rtibia",
    "RightFoot": "rfoot", "RightToeBase": "rtoes", "LowerBack": "lowerback", "Spine": "upperback",
    "Spine1": "thorax", "Neck": "lowerneck", "Neck1": "upperneck", "Head": "head",
    "LeftShoulder": "lclavicle", "LeftArm": "lhumerus", "LeftForeArm": "lradius", "LeftHand": "lwrist",
    "LeftFingerBase": "lhand", "LeftHandIndex1": "lfingers", "LThumb": "lthumb",
    "RightShoulder": "rclavicle", "RightArm": "rhumerus", "RightForeArm": "rradius", "RightHand": "rwrist",
    "RightFingerBase": "rhand", "RightHandIndex1": "rfingers", "RThumb": "rthumb",
}  # fmt: skip
MAX_NAMES = {
    "Hips": "root", "LHipJoint": "lhipjoint", "LeftHip": "lfemur", "LeftKnee": "ltibia", "LeftAnkle": "lfoot",
    "LeftToe": "ltoes", "RHipJoint": "rhipjoint", "RightHip": "rfemur", "RightKnee": "rtibia",
    "RightAnkle": "rfoot", "RightToe": "rtoes", "lowerback": "lowerback", "Chest": "upperback",
    "Chest2": "thorax", "lowerneck": "lowerneck", "Neck": "upperneck", "Head": "head",
    "LeftCollar": "lclavicle", "LeftShoulder": "lhumerus", "LeftElbow": "lradius", "LeftWrist": "lwrist",
    "lhand": "lhand", "LFingers": "lfingers", "LThumb": "lthumb",
    "RightCollar": "rclavicle", "RightShoulder": "rhumerus", "RightElbow": "rradius", "RightWrist": "rwrist",
    "rhand": "rhand", "RFingers": "rfingers", "RThumb": "rthumb",
}  # fmt: skip

# The DAZ conversions copy rotations from the T-pose of the MotionBuilder files onto a figure whose own
# bones point elsewhere in its rest pose (forearms 17 degrees forward). Measured on trial 11_01, which is
# also there as ASF/AMC: pelvis 0.0, thorax, arms, legs, feet and head 1 to 1.4 degrees on average after
# this correction; limbs 6 to 17 degrees off when the figure's bones are believed.
_DAZ_ARM = (float(np.cos(np.radians(8.0))), -float(np.sin(np.radians(8.0))), 0.0)
_DAZ_BONES = {
    "hip": (0.0, -1.0, 0.0),
    "knee": (0.0, -1.0, 0.0),
    **dict.fromkeys(("shoulder", "elbow", "wrist"), _DAZ_ARM),
}


def _true_bones(drives: dict[str, Drive]) -> dict[str, Drive]:
    """DAZ drives with the directions that the real bones had."""
    result = dict(drives)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for joint, (x, y, z) in _DAZ_BONES.items():
            result[f"{side}_{joint}"] = replace(drives[f"{side}_{joint}"], towards=(sign * x, y, z))
    return result


DAZ = Rig(
    drives=_true_bones({
        "pelvis": Drive(_one("hip")),
        "spine1": Drive(_one("abdomen")),
        "spine2": Drive(_one("chest")),
        "spine3": Drive(_one("chest")),
        "neck": Drive((("neck", 2.0), ("head", 1.0))),
        "head": Drive(_one("head")),
        **_sides(
            {
                "{s}_hip": (_one("{s}Thigh"), ("{s}_knee", "{s}Thigh", "{s}Shin")),
                "{s}_knee": (_one("{s}Shin"), ("{s}_ankle", "{s}Shin", "{s}Foot")),
                "{s}_collar": (_one("{s}Collar"), ()),
                "{s}_shoulder": (_one("{s}Shldr"), ("{s}_elbow", "{s}Shldr", "{s}ForeArm")),
                "{s}_elbow": (_one("{s}ForeArm"), ("{s}_wrist", "{s}ForeArm", "{s}Hand")),
                "{s}_wrist": (_one("{s}Hand"), ("{s}_middle1", "{s}Hand", "{s}Mid1")),
            },
            "l", "r",
        ),
    }),
    hips=("lThigh", "rThigh"),
    legs=(("lThigh", "lShin", "lFoot"), ("rThigh", "rShin", "rFoot")),
    feet=(Foot("lFoot", "lFoot.tip", straight=True), Foot("rFoot", "rFoot.tip", straight=True)),
)  # fmt: skip


def _game_rig(names: dict[str, str], left: str, right: str) -> Rig:
    """The CC0 rigs: named by part in ``names``, with fingers."""
    n = names
    fingers = {
        f"{{s}}_{finger}{i}": (
            _one(n[finger].format(i=i, s="{s}")),
            # The last phalanx has no end in one of the files: it goes on straight from the one before.
            (
                f"{{s}}_{finger}{min(i, 2) + 1}",
                n[finger].format(i=min(i, 2), s="{s}"),
                n[finger].format(i=min(i, 2) + 1, s="{s}"),
            ),
        )
        for finger in ("thumb", "index", "middle", "ring", "pinky")
        for i in (1, 2, 3)
    }
    sides = _sides(
        {
            "{s}_hip": (_one(n["thigh"]), ("{s}_knee", n["thigh"], n["shin"])),
            "{s}_knee": (_one(n["shin"]), ("{s}_ankle", n["shin"], n["foot"])),
            "{s}_collar": (_one(n["collar"]), ()),
            "{s}_shoulder": (_one(n["arm"]), ("{s}_elbow", n["arm"], n["forearm"])),
            "{s}_elbow": (_one(n["forearm"]), ("{s}_wrist", n["forearm"], n["hand"])),
            "{s}_wrist": (_one(n["hand"]), ("{s}_middle1", n["hand"], n["middle"].format(i=1, s="{s}"))),
            **fingers,
        },
        left, right,
    )  # fmt: skip
    trunk = {ours: Drive(_one(n[ours])) for ours in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")}
    legs = tuple(tuple(n[k].format(s=s) for k in ("thigh", "shin", "foot")) for s in (left, right))
    return Rig(
        drives={**trunk, **sides},
        hips=(n["thigh"].format(s=left), n["thigh"].format(s=right)),
        legs=legs,  # type: ignore[arg-type]
        feet=tuple(
            Foot(n["foot"].format(s=s), n["toe"].format(s=s), n["toe"].format(s=s)) for s in (left, right)
        ),  # type: ignore[arg-type]
        flat_rest=True,
        known={**dict.fromkeys(PARTS, True), "face": False},
    )


CC0_BASE = _game_rig(
    {
        "pelvis": "DEF-hips", "spine1": "DEF-spine.001", "spine2": "DEF-spine.002", "spine3": "DEF-spine.003",
        "neck": "DEF-neck", "head": "DEF-head", "collar": "DEF-shoulder.{s}", "arm": "DEF-upper_arm.{s}",
        "forearm": "DEF-forearm.{s}", "hand": "DEF-hand.{s}", "thigh": "DEF-thigh.{s}", "shin": "DEF-shin.{s}",
        "foot": "DEF-foot.{s}", "toe": "DEF-toe.{s}", "thumb": "DEF-thumb.0{i}.{s}",
        **{f: f"DEF-f_{f}.0{{i}}.{{s}}" for f in ("index", "middle", "ring", "pinky")},
    },
    "L", "R",
)  # fmt: skip
CC0_ADDON = _game_rig(
    {
        "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03",
        "neck": "neck_01", "head": "head", "collar": "clavicle_{s}", "arm": "upperarm_{s}",
        "forearm": "lowerarm_{s}", "hand": "hand_{s}", "thigh": "thigh_{s}", "shin": "calf_{s}",
        "foot": "foot_{s}", "toe": "ball_{s}",
        **{f: f"{f}_0{{i}}_{{s}}" for f in ("thumb", "index", "middle", "ring", "pinky")},
    },
    "l", "r",
)  # fmt: skip

DEEPMIMIC = Rig(
    drives={
        "pelvis": Drive(_one("root")),
        # One joint bends the whole trunk: the lower spine takes half of it.
        "spine1": Drive((("root", 1.0), ("chest", 1.0))),
        "spine2": Drive(_one("chest")),
        "spine3": Drive(_one("chest")),
        "neck": Drive((("chest", 1.0), ("neck", 1.0))),
        "head": Drive(_one("neck")),
        **_sides(
            {
                "{s}_hip": (_one("{s}_hip"), ("{s}_knee", "{s}_hip", "{s}_knee")),
                "{s}_knee": (_one("{s}_knee"), ("{s}_ankle", "{s}_knee", "{s}_ankle")),
                "{s}_collar": (_one("chest"), ()),
                "{s}_shoulder": (_one("{s}_shoulder"), ("{s}_elbow", "{s}_shoulder", "{s}_elbow")),
                "{s}_elbow": (_one("{s}_elbow"), ("{s}_wrist", "{s}_elbow", "{s}_wrist")),
            },
            "left", "right",
        ),
    },
    hips=("left_hip", "right_hip"),
    legs=(("left_hip", "left_knee", "left_ankle"), ("right_hip", "right_knee", "right_ankle")),
    feet=(Foot("left_ankle", "left_ankle.tip"), Foot("right_ankle", "right_ankle.tip")),
    flat_rest=True,
)  # fmt: skip

# Jump's converter dropped CMU's upper neck and head joints, so its heads hang: by 13 degrees more than the
# same trials' heads in the ASF before their own correction (21 trials that both sets have).
JUMP = replace(
    DEEPMIMIC,
    drives={
        **DEEPMIMIC.drives,
        "neck": replace(DEEPMIMIC.drives["neck"], tilt=np.radians(-12.0)),
        "head": replace(DEEPMIMIC.drives["head"], tilt=np.radians(-25.0)),
    },
)
