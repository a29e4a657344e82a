"""Rigs of every family, built in code: names typed from the families' own skeletons, any rest pose.

A rig is written as lines ``bone parent point``: ``point`` is one of our joints, or ``a~b~0.5`` for a place
between two of them; ``{s}`` and ``{S}`` stand for the family's words for a side and ``{side}`` for ours.
"""

from __future__ import annotations

import numpy as np

from understudy.backend.motion import rotations as rot
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.retarget import RigMotion
from understudy.backend.motion.rig import Rig
from understudy.backend.motion.skeleton import INDEX, REST_FLOOR, REST_OFFSETS

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def _fingers(hand: str, name: str, words: tuple[str, ...] = FINGERS, numbers: str = "123") -> str:
    lines = []
    for finger, word in zip(FINGERS, words, strict=True):
        parent = hand
        for i, number in enumerate(numbers, 1):
            bone = name.format(f=word, n=number, s="{s}")
            lines.append(f"{bone} {parent} {{side}}_{finger}{i}")
            parent = bone
    return "\n".join(lines)


FAMILIES: dict[str, tuple[tuple[str, str], str]] = {
    "mixamo": (("Left", "Right"), f"""
mixamorig:Hips - pelvis
mixamorig:Spine mixamorig:Hips spine1
mixamorig:Spine1 mixamorig:Spine spine2
mixamorig:Spine2 mixamorig:Spine1 spine3
mixamorig:Neck mixamorig:Spine2 neck
mixamorig:Head mixamorig:Neck head
mixamorig:HeadTop_End mixamorig:Head crown
mixamorig:{{s}}Shoulder mixamorig:Spine2 {{side}}_collar
mixamorig:{{s}}Arm mixamorig:{{s}}Shoulder {{side}}_shoulder
mixamorig:{{s}}ForeArm mixamorig:{{s}}Arm {{side}}_elbow
mixamorig:{{s}}Hand mixamorig:{{s}}ForeArm {{side}}_wrist
{_fingers("mixamorig:{s}Hand", "mixamorig:{s}Hand{f}{n}", ("Thumb", "Index", "Middle", "Ring", "Pinky"))}
mixamorig:{{s}}UpLeg mixamorig:Hips {{side}}_hip
mixamorig:{{s}}Leg mixamorig:{{s}}UpLeg {{side}}_knee
mixamorig:{{s}}Foot mixamorig:{{s}}Leg {{side}}_ankle
mixamorig:{{s}}ToeBase mixamorig:{{s}}Foot {{side}}_foot
"""),
    "rigify_deform": (("L", "R"), f"""
root - ground
DEF-spine root pelvis
DEF-spine.001 DEF-spine spine1
DEF-spine.002 DEF-spine.001 spine2
DEF-spine.003 DEF-spine.002 spine3
DEF-spine.004 DEF-spine.003 neck
DEF-spine.005 DEF-spine.004 neck~head~0.5
DEF-spine.006 DEF-spine.005 head
DEF-pelvis.{{s}} DEF-spine pelvis
DEF-breast.{{s}} DEF-spine.003 {{side}}_collar
DEF-shoulder.{{s}} DEF-spine.003 {{side}}_collar
DEF-upper_arm.{{s}} DEF-shoulder.{{s}} {{side}}_shoulder
DEF-upper_arm.{{s}}.001 DEF-upper_arm.{{s}} {{side}}_shoulder~{{side}}_elbow~0.5
DEF-forearm.{{s}} DEF-upper_arm.{{s}}.001 {{side}}_elbow
DEF-forearm.{{s}}.001 DEF-forearm.{{s}} {{side}}_elbow~{{side}}_wrist~0.5
DEF-hand.{{s}} DEF-forearm.{{s}}.001 {{side}}_wrist
{_fingers("DEF-hand.{s}", "DEF-{f}.0{n}.{s}", ("thumb", "f_index", "f_middle", "f_ring", "f_pinky"))}
DEF-thigh.{{s}} DEF-spine {{side}}_hip
DEF-thigh.{{s}}.001 DEF-thigh.{{s}} {{side}}_hip~{{side}}_knee~0.5
DEF-shin.{{s}} DEF-thigh.{{s}}.001 {{side}}_knee
DEF-shin.{{s}}.001 DEF-shin.{{s}} {{side}}_knee~{{side}}_ankle~0.5
DEF-foot.{{s}} DEF-shin.{{s}}.001 {{side}}_ankle
DEF-toe.{{s}} DEF-foot.{{s}} {{side}}_foot
"""),
    "vrm": (("L", "R"), f"""
Root - ground
J_Bip_C_Hips Root pelvis
J_Bip_C_Spine J_Bip_C_Hips spine1
J_Bip_C_Chest J_Bip_C_Spine spine2
J_Bip_C_UpperChest J_Bip_C_Chest spine3
J_Bip_C_Neck J_Bip_C_UpperChest neck
J_Bip_C_Head J_Bip_C_Neck head
J_Adj_{{s}}_FaceEye J_Bip_C_Head {{side}}_eye_smplhf
J_Sec_{{s}}_Bust1 J_Bip_C_UpperChest {{side}}_collar
J_Bip_{{s}}_Shoulder J_Bip_C_UpperChest {{side}}_collar
J_Bip_{{s}}_UpperArm J_Bip_{{s}}_Shoulder {{side}}_shoulder
J_Bip_{{s}}_LowerArm J_Bip_{{s}}_UpperArm {{side}}_elbow
J_Bip_{{s}}_Hand J_Bip_{{s}}_LowerArm {{side}}_wrist
{_fingers("J_Bip_{s}_Hand", "J_Bip_{s}_{f}{n}", ("Thumb", "Index", "Middle", "Ring", "Little"))}
J_Bip_{{s}}_UpperLeg J_Bip_C_Hips {{side}}_hip
J_Bip_{{s}}_LowerLeg J_Bip_{{s}}_UpperLeg {{side}}_knee
J_Bip_{{s}}_Foot J_Bip_{{s}}_LowerLeg {{side}}_ankle
J_Bip_{{s}}_ToeBase J_Bip_{{s}}_Foot {{side}}_foot
"""),
    "vrm (humanoid names)": (("left", "right"), """
hips - pelvis
spine hips spine1
chest spine spine2
upperChest chest spine3
neck upperChest neck
head neck head
jaw head jaw
{s}Eye head {side}_eye_smplhf
{s}Shoulder upperChest {side}_collar
{s}UpperArm {s}Shoulder {side}_shoulder
{s}LowerArm {s}UpperArm {side}_elbow
{s}Hand {s}LowerArm {side}_wrist
{s}ThumbMetacarpal {s}Hand {side}_thumb1
{s}ThumbProximal {s}ThumbMetacarpal {side}_thumb2
{s}ThumbDistal {s}ThumbProximal {side}_thumb3
{s}IndexProximal {s}Hand {side}_index1
{s}IndexIntermediate {s}IndexProximal {side}_index2
{s}IndexDistal {s}IndexIntermediate {side}_index3
{s}LittleProximal {s}Hand {side}_pinky1
{s}LittleIntermediate {s}LittleProximal {side}_pinky2
{s}LittleDistal {s}LittleIntermediate {side}_pinky3
{s}UpperLeg hips {side}_hip
{s}LowerLeg {s}UpperLeg {side}_knee
{s}Foot {s}LowerLeg {side}_ankle
{s}Toes {s}Foot {side}_foot
"""),
    "unreal (UE4)": (("l", "r"), f"""
root - ground
pelvis root pelvis
spine_01 pelvis spine1
spine_02 spine_01 spine2
spine_03 spine_02 spine3
neck_01 spine_03 neck
head neck_01 head
clavicle_{{s}} spine_03 {{side}}_collar
upperarm_{{s}} clavicle_{{s}} {{side}}_shoulder
upperarm_twist_01_{{s}} upperarm_{{s}} {{side}}_shoulder
lowerarm_{{s}} upperarm_{{s}} {{side}}_elbow
lowerarm_twist_01_{{s}} lowerarm_{{s}} {{side}}_elbow~{{side}}_wrist~0.5
hand_{{s}} lowerarm_{{s}} {{side}}_wrist
{_fingers("hand_{s}", "{f}_0{n}_{s}")}
thigh_{{s}} pelvis {{side}}_hip
thigh_twist_01_{{s}} thigh_{{s}} {{side}}_hip
calf_{{s}} thigh_{{s}} {{side}}_knee
calf_twist_01_{{s}} calf_{{s}} {{side}}_knee~{{side}}_ankle~0.5
foot_{{s}} calf_{{s}} {{side}}_ankle
ball_{{s}} foot_{{s}} {{side}}_foot
ik_foot_root root ground
ik_foot_{{s}} ik_foot_root {{side}}_ankle
"""),
    "unreal (UE5)": (("l", "r"), f"""
root - ground
pelvis root pelvis
spine_01 pelvis spine1
spine_02 spine_01 spine1~spine2~0.5
spine_03 spine_02 spine2
spine_04 spine_03 spine2~spine3~0.5
spine_05 spine_04 spine3
neck_01 spine_05 neck
neck_02 neck_01 neck~head~0.5
head neck_02 head
clavicle_{{s}} spine_05 {{side}}_collar
upperarm_{{s}} clavicle_{{s}} {{side}}_shoulder
upperarm_twist_01_{{s}} upperarm_{{s}} {{side}}_shoulder~{{side}}_elbow~0.33
upperarm_twist_02_{{s}} upperarm_{{s}} {{side}}_shoulder~{{side}}_elbow~0.66
lowerarm_{{s}} upperarm_{{s}} {{side}}_elbow
lowerarm_twist_02_{{s}} lowerarm_{{s}} {{side}}_elbow~{{side}}_wrist~0.33
lowerarm_twist_01_{{s}} lowerarm_{{s}} {{side}}_elbow~{{side}}_wrist~0.66
hand_{{s}} lowerarm_{{s}} {{side}}_wrist
index_metacarpal_{{s}} hand_{{s}} {{side}}_wrist~{{side}}_index1~0.3
{_fingers("hand_{s}", "{f}_0{n}_{s}")}
thigh_{{s}} pelvis {{side}}_hip
calf_{{s}} thigh_{{s}} {{side}}_knee
foot_{{s}} calf_{{s}} {{side}}_ankle
ball_{{s}} foot_{{s}} {{side}}_foot
"""),
    "makehuman": (("L", "R"), """
root - pelvis
spine05 root pelvis~spine1~0.5
spine04 spine05 spine1
spine03 spine04 spine2
spine02 spine03 spine3
spine01 spine02 spine3~neck~0.5
neck01 spine01 neck
neck02 neck01 neck~head~0.3
neck03 neck02 neck~head~0.6
head neck03 head
jaw head jaw
eye.{s} head {side}_eye_smplhf
pelvis.{s} root pelvis
breast.{s} spine02 {side}_collar
clavicle.{s} spine01 {side}_collar
shoulder01.{s} clavicle.{s} {side}_collar~{side}_shoulder~0.7
upperarm01.{s} shoulder01.{s} {side}_shoulder
upperarm02.{s} upperarm01.{s} {side}_shoulder~{side}_elbow~0.5
lowerarm01.{s} upperarm02.{s} {side}_elbow
lowerarm02.{s} lowerarm01.{s} {side}_elbow~{side}_wrist~0.5
wrist.{s} lowerarm02.{s} {side}_wrist
finger1-1.{s} wrist.{s} {side}_thumb1
finger1-2.{s} finger1-1.{s} {side}_thumb2
finger1-3.{s} finger1-2.{s} {side}_thumb3
metacarpal1.{s} wrist.{s} {side}_wrist~{side}_index1~0.2
finger2-1.{s} metacarpal1.{s} {side}_index1
finger2-2.{s} finger2-1.{s} {side}_index2
finger2-3.{s} finger2-2.{s} {side}_index3
finger3-1.{s} wrist.{s} {side}_middle1
finger3-2.{s} finger3-1.{s} {side}_middle2
finger3-3.{s} finger3-2.{s} {side}_middle3
finger5-1.{s} wrist.{s} {side}_pinky1
finger5-2.{s} finger5-1.{s} {side}_pinky2
finger5-3.{s} finger5-2.{s} {side}_pinky3
upperleg01.{s} pelvis.{s} {side}_hip
upperleg02.{s} upperleg01.{s} {side}_hip~{side}_knee~0.5
lowerleg01.{s} upperleg02.{s} {side}_knee
lowerleg02.{s} lowerleg01.{s} {side}_knee~{side}_ankle~0.5
foot.{s} lowerleg02.{s} {side}_ankle
toe1-1.{s} foot.{s} {side}_foot
toe2-1.{s} foot.{s} {side}_foot
"""),
    "daz (Genesis 8)": (("l", "r"), f"""
hip - pelvis
pelvis hip pelvis~spine1~0.3
abdomenLower hip spine1
abdomenUpper abdomenLower spine2
chestLower abdomenUpper spine3
chestUpper chestLower spine3~neck~0.4
{{s}}Pectoral chestLower {{side}}_collar
neckLower chestUpper neck
neckUpper neckLower neck~head~0.5
head neckUpper head
upperFaceRig head head
lowerJaw head jaw
{{s}}Eye head {{side}}_eye_smplhf
{{s}}Collar chestUpper {{side}}_collar
{{s}}ShldrBend {{s}}Collar {{side}}_shoulder
{{s}}ShldrTwist {{s}}ShldrBend {{side}}_shoulder~{{side}}_elbow~0.5
{{s}}ForearmBend {{s}}ShldrTwist {{side}}_elbow
{{s}}ForearmTwist {{s}}ForearmBend {{side}}_elbow~{{side}}_wrist~0.5
{{s}}Hand {{s}}ForearmTwist {{side}}_wrist
{_fingers("{s}Hand", "{s}{f}{n}", ("Thumb", "Index", "Mid", "Ring", "Pinky"))}
{{s}}ThighBend pelvis {{side}}_hip
{{s}}ThighTwist {{s}}ThighBend {{side}}_hip~{{side}}_knee~0.5
{{s}}Shin {{s}}ThighTwist {{side}}_knee
{{s}}Foot {{s}}Shin {{side}}_ankle
{{s}}Metatarsals {{s}}Foot {{side}}_ankle~{{side}}_foot~0.4
{{s}}Toe {{s}}Metatarsals {{side}}_foot
"""),
    "daz (Genesis 9)": (("l", "r"), f"""
hip - pelvis
pelvis hip pelvis~spine1~0.3
spine1 hip spine1
spine2 spine1 spine2
spine3 spine2 spine3
spine4 spine3 spine3~neck~0.4
neck1 spine4 neck
neck2 neck1 neck~head~0.5
head neck2 head
{{s}}_shoulder spine4 {{side}}_collar
{{s}}_upperarm {{s}}_shoulder {{side}}_shoulder
{{s}}_upperarmtwist1 {{s}}_upperarm {{side}}_shoulder~{{side}}_elbow~0.3
{{s}}_upperarmtwist2 {{s}}_upperarm {{side}}_shoulder~{{side}}_elbow~0.7
{{s}}_forearm {{s}}_upperarm {{side}}_elbow
{{s}}_forearmtwist1 {{s}}_forearm {{side}}_elbow~{{side}}_wrist~0.3
{{s}}_hand {{s}}_forearm {{side}}_wrist
{_fingers("{s}_hand", "{s}_{f}{n}", ("thumb", "index", "mid", "ring", "pinky"))}
{{s}}_thigh pelvis {{side}}_hip
{{s}}_thightwist1 {{s}}_thigh {{side}}_hip~{{side}}_knee~0.5
{{s}}_shin {{s}}_thigh {{side}}_knee
{{s}}_foot {{s}}_shin {{side}}_ankle
{{s}}_toes {{s}}_foot {{side}}_foot
"""),
    "character_creator": (("L", "R"), f"""
CC_Base_BoneRoot - ground
CC_Base_Hip CC_Base_BoneRoot pelvis
CC_Base_Pelvis CC_Base_Hip pelvis
CC_Base_Waist CC_Base_Hip spine1
CC_Base_Spine01 CC_Base_Waist spine2
CC_Base_Spine02 CC_Base_Spine01 spine3
CC_Base_NeckTwist01 CC_Base_Spine02 neck
CC_Base_NeckTwist02 CC_Base_NeckTwist01 neck~head~0.5
CC_Base_Head CC_Base_NeckTwist02 head
CC_Base_FacialBone CC_Base_Head head
CC_Base_JawRoot CC_Base_FacialBone jaw
CC_Base_{{s}}_Eye CC_Base_FacialBone {{side}}_eye_smplhf
CC_Base_{{s}}_Clavicle CC_Base_Spine02 {{side}}_collar
CC_Base_{{s}}_Upperarm CC_Base_{{s}}_Clavicle {{side}}_shoulder
CC_Base_{{s}}_UpperarmTwist01 CC_Base_{{s}}_Upperarm {{side}}_shoulder~{{side}}_elbow~0.2
CC_Base_{{s}}_Forearm CC_Base_{{s}}_Upperarm {{side}}_elbow
CC_Base_{{s}}_ForearmTwist01 CC_Base_{{s}}_Forearm {{side}}_elbow~{{side}}_wrist~0.4
CC_Base_{{s}}_Hand CC_Base_{{s}}_Forearm {{side}}_wrist
{_fingers("CC_Base_{s}_Hand", "CC_Base_{s}_{f}{n}", ("Thumb", "Index", "Mid", "Ring", "Pinky"))}
CC_Base_{{s}}_Thigh CC_Base_Pelvis {{side}}_hip
CC_Base_{{s}}_ThighTwist01 CC_Base_{{s}}_Thigh {{side}}_hip~{{side}}_knee~0.3
CC_Base_{{s}}_Calf CC_Base_{{s}}_Thigh {{side}}_knee
CC_Base_{{s}}_CalfTwist01 CC_Base_{{s}}_Calf {{side}}_knee~{{side}}_ankle~0.3
CC_Base_{{s}}_Foot CC_Base_{{s}}_Calf {{side}}_ankle
CC_Base_{{s}}_ToeBase CC_Base_{{s}}_Foot {{side}}_foot
"""),
    "mmd": (("左", "右"), f"""
全ての親 - ground
センター 全ての親 pelvis~ground~0.3
グルーブ センター pelvis~ground~0.2
腰 グルーブ pelvis
下半身 腰 spine1
上半身 腰 spine1
上半身2 上半身 spine3
首 上半身2 neck
頭 首 head
両目 頭 crown
{{s}}目 頭 {{side}}_eye_smplhf
{{s}}肩 上半身2 {{side}}_collar
{{s}}腕 {{s}}肩 {{side}}_shoulder
{{s}}腕捩 {{s}}腕 {{side}}_shoulder~{{side}}_elbow~0.6
{{s}}ひじ {{s}}腕捩 {{side}}_elbow
{{s}}手捩 {{s}}ひじ {{side}}_elbow~{{side}}_wrist~0.6
{{s}}手首 {{s}}手捩 {{side}}_wrist
{_fingers("{s}手首", "{s}{f}{n}", ("親指", "人指", "中指", "薬指", "小指"), "１２３")
 .replace("親指１", "親指０").replace("親指２", "親指１").replace("親指３", "親指２")}
{{s}}足 下半身 {{side}}_hip
{{s}}ひざ {{s}}足 {{side}}_knee
{{s}}足首 {{s}}ひざ {{side}}_ankle
{{s}}つま先 {{s}}足首 {{side}}_foot
{{s}}足ＩＫ親 全ての親 ground
{{s}}足ＩＫ {{s}}足ＩＫ親 {{side}}_ankle
"""),
    "mmd (English)": (("L", "R"), """
center - pelvis~ground~0.3
groove center pelvis
lower_body groove spine1
upper_body groove spine1
upper_body2 upper_body spine3
neck upper_body2 neck
head neck head
eye_{s} head {side}_eye_smplhf
shoulder_{s} upper_body2 {side}_collar
arm_{s} shoulder_{s} {side}_shoulder
arm_twist_{s} arm_{s} {side}_shoulder~{side}_elbow~0.5
elbow_{s} arm_twist_{s} {side}_elbow
wrist_twist_{s} elbow_{s} {side}_elbow~{side}_wrist~0.5
wrist_{s} wrist_twist_{s} {side}_wrist
fore1_{s} wrist_{s} {side}_index1
fore2_{s} fore1_{s} {side}_index2
fore3_{s} fore2_{s} {side}_index3
leg_{s} lower_body {side}_hip
knee_{s} leg_{s} {side}_knee
ankle_{s} knee_{s} {side}_ankle
toe_{s} ankle_{s} {side}_foot
leg_ik_{s} - {side}_ankle
"""),
    "biped": (("L", "R"), """
Bip01 - pelvis
Bip01_Pelvis Bip01 pelvis
Bip01_Spine Bip01_Pelvis spine1
Bip01_Spine1 Bip01_Spine spine2
Bip01_Spine2 Bip01_Spine1 spine3
Bip01_Neck Bip01_Spine2 neck
Bip01_Head Bip01_Neck head
Bip01_{s}_Clavicle Bip01_Neck {side}_collar
Bip01_{s}_UpperArm Bip01_{s}_Clavicle {side}_shoulder
Bip01_{s}_Forearm Bip01_{s}_UpperArm {side}_elbow
Bip01_{s}_Hand Bip01_{s}_Forearm {side}_wrist
Bip01_{s}_Finger0 Bip01_{s}_Hand {side}_thumb1
Bip01_{s}_Finger01 Bip01_{s}_Finger0 {side}_thumb2
Bip01_{s}_Finger1 Bip01_{s}_Hand {side}_index1
Bip01_{s}_Finger11 Bip01_{s}_Finger1 {side}_index2
Bip01_{s}_Thigh Bip01_Pelvis {side}_hip
Bip01_{s}_Calf Bip01_{s}_Thigh {side}_knee
Bip01_{s}_Foot Bip01_{s}_Calf {side}_ankle
Bip01_{s}_Toe0 Bip01_{s}_Foot {side}_foot
"""),
    "plain": (("L", "R"), """
root - ground
hips root pelvis
spine hips spine1
chest spine spine3
neck chest neck
head neck head
jaw head jaw
shoulder.{s} chest {side}_collar
upper_arm.{s} shoulder.{s} {side}_shoulder
forearm.{s} upper_arm.{s} {side}_elbow
hand.{s} forearm.{s} {side}_wrist
thumb.01.{s} hand.{s} {side}_thumb1
thumb.02.{s} thumb.01.{s} {side}_thumb2
index.01.{s} hand.{s} {side}_index1
index.02.{s} index.01.{s} {side}_index2
thigh.{s} hips {side}_hip
shin.{s} thigh.{s} {side}_knee
foot.{s} shin.{s} {side}_ankle
toe.{s} foot.{s} {side}_foot
"""),
    "plain (words)": (("Left", "Right"), """
Pelvis - pelvis
Torso Pelvis spine1
Chest Torso spine3
Neck Chest neck
Head Neck head
{s} Clavicle Chest {side}_collar
{s} Upper Arm {s} Clavicle {side}_shoulder
{s} Lower Arm {s} Upper Arm {side}_elbow
{s} Hand {s} Lower Arm {side}_wrist
{s} Upper Leg Pelvis {side}_hip
{s} Lower Leg {s} Upper Leg {side}_knee
{s} Foot {s} Lower Leg {side}_ankle
{s} Toe {s} Foot {side}_foot
""".replace("{s} ", "{s}_").replace("Upper ", "Upper_").replace("Lower ", "Lower_")),
    "smplx": (("left", "right"), f"""
pelvis - pelvis
spine1 pelvis spine1
spine2 spine1 spine2
spine3 spine2 spine3
neck spine3 neck
head neck head
jaw head jaw
{{s}}_eye_smplhf head {{side}}_eye_smplhf
{{s}}_collar spine3 {{side}}_collar
{{s}}_shoulder {{s}}_collar {{side}}_shoulder
{{s}}_elbow {{s}}_shoulder {{side}}_elbow
{{s}}_wrist {{s}}_elbow {{side}}_wrist
{_fingers("{s}_wrist", "{s}_{f}{n}")}
{{s}}_hip pelvis {{side}}_hip
{{s}}_knee {{s}}_hip {{side}}_knee
{{s}}_ankle {{s}}_knee {{side}}_ankle
{{s}}_foot {{s}}_ankle {{side}}_foot
"""),
}  # fmt: skip


def bones_of(family: str) -> list[tuple[str, str, str]]:
    """(bone, parent or "", point) of a family, parents first."""
    words, text = FAMILIES[family]
    lines = []
    for line in text.strip().splitlines():
        bone, parent, point = line.split()
        variants = [("", "")]
        if "{s" in line:
            variants = list(zip(words, ("left", "right"), strict=True))
        for word, side in variants:
            lines.append(
                tuple(part.replace("{side}", side).replace("{s}", word) for part in (bone, parent, point))
            )
    done = {"-"}
    ordered = []
    while lines:
        ready = [line for line in lines if line[1] in done]
        assert ready, lines
        ordered += ready
        done |= {line[0] for line in ready}
        lines = [line for line in lines if line not in ready]
    return [(bone, "" if parent == "-" else parent, point) for bone, parent, point in ordered]


def joint_of(family: str) -> dict[str, str]:
    """Bone name to our joint, for the bones that stand exactly at one."""
    return {bone: point for bone, _, point in bones_of(family) if point in INDEX}


def rest_points(
    *, arms: float = 0.0, legs: float = 0.0, thighs: float = 1.0, torso: float = 1.0
) -> dict[str, np.ndarray]:
    """Our joints in a rest pose, standing on y = 0: arms lowered and legs spread by degrees, other proportions."""
    offsets = np.array(REST_OFFSETS)
    for side in ("left", "right"):
        offsets[[INDEX[f"{side}_knee"], INDEX[f"{side}_ankle"]]] *= thighs
    offsets[[INDEX[f"spine{i}"] for i in (1, 2, 3)]] *= torso
    poses = np.zeros((1, 55, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[0, INDEX[f"{side}_shoulder"], 2] = -sign * np.radians(arms)
        poses[0, INDEX[f"{side}_hip"], 2] = sign * np.radians(legs)
        poses[0, INDEX[f"{side}_ankle"], 2] = -sign * np.radians(legs)
    joints = forward_kinematics(poses, np.zeros((1, 3)), offsets)[0][0]
    ball = 0.5 * (joints[INDEX["left_foot"], 1] + joints[INDEX["right_foot"], 1])
    joints = joints - np.array([0.0, ball - (_rest_height("left_foot")), 0.0])
    points = {name: joints[i] for name, i in INDEX.items()}
    points["ground"] = np.zeros(3)
    points["crown"] = points["head"] + np.array([0.0, 0.2, 0.0])
    return points


def _rest_height(joint: str) -> float:
    total, j = 0.0, INDEX[joint]
    from understudy.backend.motion.skeleton import PARENTS

    while j >= 0:
        total += REST_OFFSETS[j][1]
        j = PARENTS[j]
    return float(total - REST_FLOOR)


def build_rig(
    family: str,
    points: dict[str, np.ndarray] | None = None,
    *,
    rng: np.random.Generator | None = None,
    axes: np.ndarray | None = None,
    scale: float = 1.0,
    rename: dict[str, str] | None = None,
) -> Rig:
    """A family's rig on a rest pose.

    Args:
        family: of :data:`FAMILIES`.
        points: of :func:`rest_points`.
        rng: gives every bone an arbitrary rest orientation; without it Y runs along the bone.
        axes: (3, 3) turns the whole rig; by default Blender's Z up, facing -Y.
        scale: armature units per metre.
        rename: bone names to other names.
    """
    points = points or rest_points()
    axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) if axes is None else axes
    lines = bones_of(family)
    index = {bone: i for i, (bone, _, _) in enumerate(lines)}
    heads = np.array([scale * axes @ _place(point, points) for _, _, point in lines])
    parents = np.array([index.get(parent, -1) for _, parent, _ in lines])
    tails = np.array(heads)
    for i in range(len(lines)):
        children = np.flatnonzero(parents == i)
        far = [c for c in children if np.linalg.norm(heads[c] - heads[i]) > 1e-6 * scale]
        up = heads[i] - heads[parents[i]] if parents[i] >= 0 else axes[:, 1] * scale
        tails[i] = heads[far[0]] if far else heads[i] + 0.5 * up + 1e-3 * scale * axes[:, 1]
    rest = np.broadcast_to(np.eye(4), (len(lines), 4, 4)).copy()
    for i in range(len(lines)):
        rest[i, :3, :3] = _orientation(tails[i] - heads[i]) if rng is None else _random_rotation(rng)
    rest[:, :3, 3] = heads
    names = [(rename or {}).get(bone, bone) for bone, _, _ in lines]
    return Rig("Character", tuple(names), parents, rest, tails, np.ones(len(lines), bool))


def _place(point: str, points: dict[str, np.ndarray]) -> np.ndarray:
    if "~" not in point:
        return points[point]
    first, second, share = point.split("~")
    return (1 - float(share)) * points[first] + float(share) * points[second]


def _orientation(along: np.ndarray) -> np.ndarray:
    return rot.quaternion_to_matrix(rot.shortest_arc(np.array([0.0, 1.0, 0.0]), along))


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    return rot.quaternion_to_matrix(rng.normal(size=4))


def pose(rig: Rig, motion: RigMotion) -> np.ndarray:
    """Posed bone matrices (T, N, 4, 4) as Blender computes them from what is keyed."""
    frames = len(motion.rotations)
    basis = np.broadcast_to(np.eye(4), (frames, len(rig), 4, 4)).copy()
    for k, bone in enumerate(motion.bones):
        basis[:, rig.index[bone], :3, :3] = rot.quaternion_to_matrix(motion.rotations[:, k])
    for bone, location in motion.locations.items():
        basis[:, rig.index[bone], :3, 3] = location
    posed = np.empty_like(basis)
    for i, parent in enumerate(rig.parents):
        if parent < 0:
            posed[:, i] = rig.rest[i] @ basis[:, i]
        else:
            posed[:, i] = posed[:, parent] @ (np.linalg.inv(rig.rest[parent]) @ rig.rest[i]) @ basis[:, i]
    if motion.object is not None:
        posed = motion.object[:, None] @ posed
    return posed


def limb_directions(heads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Unit directions (T, 3) of arms, legs, hands and fingers between joints given by name."""
    pairs = []
    for side in ("left", "right"):
        for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            pairs.append((f"{side}_{a}", f"{side}_{b}"))
        middle = next((f for f in ("middle", "ring", "index", "pinky") if f"{side}_{f}1" in heads), None)
        if middle:
            pairs.append((f"{side}_wrist", f"{side}_{middle}1"))
        pairs += [(f"{side}_{f}{i}", f"{side}_{f}{i + 1}") for f in FINGERS for i in (1, 2)]
    found = {}
    for a, b in pairs:
        if a in heads and b in heads:
            span = heads[b] - heads[a]
            found[f"{a} to {b}"] = span / np.linalg.norm(span, axis=-1, keepdims=True)
    return found
