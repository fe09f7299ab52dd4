"""Limits of control groups, of both versions, on a played machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.engines.glm.memory_limit import Limit, limits
from tests.engines.glm.control_groups import first_group, group, played

V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


def test_every_group_above_counts_that_has_a_limit(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/kube/pod/box\n",
        **group(f"{V2}/kube/pod/box", "1000", "600", "100"),
        **group(f"{V2}/kube/pod", "max", "700", "0"),
        **group(f"{V2}/kube", "5000", "900", "50"),
    }
    assert limits(played(tmp_path, files)) == [Limit(1000, 500), Limit(5000, 4150)]


def test_the_first_version_beside_an_empty_second(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "9:name=systemd:/\n5:cpu,memory:/docker/abc\n2:cpu:/docker/abc\n0::/\n",
        **first_group(f"{V1}/docker/abc", "1000", "600", "100"),
        **first_group(V1, "9223372036854771712", "700", "0"),
    }
    assert limits(played(tmp_path, files)) == [Limit(1000, 500), Limit(9223372036854771712, 9223372036854771012)]


def test_a_container_sees_its_group_as_the_mount_whatever_the_path_says(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "4:memory:/docker/abc\n", **first_group(V1, "1000", "600", "100")}
    assert limits(played(tmp_path, files)) == [Limit(1000, 500)]


def test_more_used_than_there_is_leaves_nothing(tmp_path: Path) -> None:
    assert limits(played(tmp_path, {"proc/self/cgroup": "0::/", **group(V2, "10", "20", "3")})) == [Limit(10, 0)]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", **group(V2, "max", "1", "1")},
        {"proc/self/cgroup": "0::/\n", **group(V2, "", "1", "1")},
        {"proc/self/cgroup": "0::/\n", **group(V2, "1", "1", "1"), f"{V2}/memory.stat": "anon 1\n"},
    ],
)
def test_who_does_not_tell_limits_nothing(files: dict[str, str], tmp_path: Path) -> None:
    assert limits(played(tmp_path, files)) == []
