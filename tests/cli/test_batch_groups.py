"""Which jobs are made together: every one once, alike within a group, shared out evenly."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.cli.batch_groups import SECONDS_TOGETHER, TOGETHER, USUAL, grouped
from understudy.backend.cli.jobs import BatchJob
from understudy.backend.protocol.messages import GenerateParams

LENGTHS = st.one_of(st.none(), st.floats(0.5, 60.0))
WISHES = st.fixed_dictionaries({"seconds": LENGTHS, "samples": st.integers(1, 8)})


def asked(wishes: list[dict[str, object]]) -> list[tuple[BatchJob, GenerateParams]]:
    return [
        (
            BatchJob(line, f"job-{line}", {}, None, ""),
            GenerateParams.model_validate({"prompt": "a person walks", **wish}),
        )
        for line, wish in enumerate(wishes, 1)
    ]


@given(st.lists(WISHES, min_size=1, max_size=60), st.integers(1, 4))
def test_every_job_is_in_one_group_of_its_kind(wishes: list[dict[str, object]], workers: int) -> None:
    jobs = asked(wishes)
    params = {job.name: one for job, one in jobs}
    groups = grouped(jobs, workers)
    assert Counter(job.name for group in groups for job in group) == Counter(list(params))
    for group in groups:
        own = [params[job.name] for job in group]
        assert len({one.samples for one in own}) == 1
        seconds = sum((one.seconds or USUAL) * one.samples for one in own)
        assert len(group) == 1 or (len(group) <= TOGETHER and seconds <= SECONDS_TOGETHER)


@given(st.integers(1, 200), st.integers(1, 4))
def test_workers_get_as_many_prompts_of_one_length(count: int, workers: int) -> None:
    groups = grouped(asked([{"seconds": 2.0}] * count), workers)
    sizes = [len(group) for group in groups]
    shares = [sum(sizes[first::workers]) for first in range(workers)]
    assert max(sizes) <= TOGETHER
    assert max(shares) <= -(-count // workers) + TOGETHER // 2, "nobody waits long for another"


def test_what_needs_a_voice_or_a_script_is_alone() -> None:
    lines = [{"prompt": "a person walks", "seconds": 2}, {"prompt": "a person waves", "seconds": 2}]
    jobs = asked([{"seconds": 2.0}, {"seconds": 2.0}, {"prompt": None, "script": lines}])
    assert sorted(len(group) for group in grouped(jobs, 1)) == [1, 2]


def test_like_lengths_stand_together() -> None:
    jobs = asked([{"seconds": seconds} for seconds in [2.0, 10.0] * 14])
    first = grouped(jobs, 1)[0]
    lengths = {job.name: params.seconds for job, params in jobs}
    assert [lengths[job.name] for job in first] == [2.0] * len(first)
