"""Damaged streams: no exception, and no broken picture that passes for a whole one.

Compiled code looks for indices outside an array only in the slow test, which compiles it with these checks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

pytest.importorskip("numba", reason="the partition reader needs numba, which is not installed")

from runtime.hevc.nal_units import length_size, units_of_packet
from runtime.hevc.partition_reader import PartitionReader
from tests.runtime.hevc.fuzz import SMALL, assert_sound, corpus, fuzz
from tests.runtime.hevc.streams import HM_TREES, HevcStream, x265_stream

ROOT = Path(__file__).resolve().parents[3]
SECONDS, ENOUGH_RUNS = 8, 100
LONG_RUNS = 20_000
MOST_MEMORY_MB = 1500  # the interpreter, Numba and one picture of the largest size
MOST_SECONDS_A_STREAM = 20  # one picture of the largest size, on a busy machine
NOTICED = 0.9  # of damage that changes a map


@pytest.fixture(scope="module")
def streams() -> list[HevcStream]:
    return corpus()


@pytest.fixture(scope="module")
def low_delay() -> HevcStream:
    """Return a picture a packet, each with one slice, whose data begins well before the packet's half."""
    return x265_stream(f"qp=30:bframes=0:slices=1:{HM_TREES}", SMALL, 4)


def partitions_of(stream: HevcStream):
    reader = PartitionReader(stream.extradata)
    return [reader.feed(packet) for packet in stream.packets]


def test_undamaged_streams_of_the_corpus_are_whole(streams):
    for stream in streams:
        for partition in partitions_of(stream):
            assert partition.is_whole
            assert_sound(partition)


def test_damaged_streams_never_raise_and_give_sound_pictures(streams):
    findings = fuzz(streams, seed=0, runs=LONG_RUNS, seconds=SECONDS)
    assert findings.runs >= ENOUGH_RUNS
    assert 0 < findings.whole < findings.pictures  # neither all damage goes unseen, nor is all refused
    assert findings.slowest_s < MOST_SECONDS_A_STREAM


def test_a_broken_map_would_be_noticed(low_delay):
    partition = partitions_of(low_delay)[0]
    partition.transform[1, 1] ^= 1
    with pytest.raises(AssertionError, match="broken"):
        assert_sound(partition)


def end_of_slices(stream: HevcStream, number: int) -> int:
    """Return where a packet's last slice ends; a message may follow."""
    units = list(units_of_packet(stream.packets[number], length_size(stream.extradata)))
    last = bytes([unit for unit in units if unit.is_slice_segment][-1].data)
    return stream.packets[number].rindex(last) + len(last)


def test_a_picture_that_is_cut_off_is_never_whole(streams):
    for stream in streams:
        random = Random(0)
        for number in {0, len(stream.packets) - 1}:
            for _ in range(12):
                length = random.randrange(end_of_slices(stream, number) - 3)  # the last bytes may be mere filling
                packets = (*stream.packets[:number], stream.packets[number][:length])
                partition = partitions_of(HevcStream(packets, stream.extradata))[number]
                assert partition is None or not partition.is_whole


def test_damage_stays_in_its_picture(low_delay):
    clean = partitions_of(low_delay)
    for number, packet in enumerate(low_delay.packets):
        packets = list(low_delay.packets)
        packets[number] = packet[: len(packet) // 2]
        found = partitions_of(HevcStream(tuple(packets)))
        for other in {*range(len(clean))} - {number}:
            assert found[other].is_whole
            np.testing.assert_array_equal(found[other].transform, clean[other].transform)
            np.testing.assert_array_equal(found[other].qp, clean[other].qp)


def test_a_picture_that_is_lost_takes_no_other_with_it(low_delay):
    clean = partitions_of(low_delay)
    found = partitions_of(HevcStream((low_delay.packets[0], *low_delay.packets[2:])))
    for ours, wanted in zip(found, [clean[0], *clean[2:]], strict=True):
        assert ours.is_whole
        np.testing.assert_array_equal(ours.transform, wanted.transform)


def test_damage_that_changes_the_blocks_is_mostly_noticed(low_delay):
    clean, random = partitions_of(low_delay), Random(0)
    n_changed = n_noticed = 0
    for _ in range(150):
        number = random.randrange(len(clean))
        packet = bytearray(low_delay.packets[number])
        packet[random.randrange(len(packet) // 2, len(packet))] ^= 1 << random.randrange(8)
        packets = (*low_delay.packets[:number], bytes(packet))
        partition = partitions_of(HevcStream(packets))[number]
        if partition is None or not np.array_equal(partition.transform, clean[number].transform):
            n_changed += 1
            n_noticed += partition is None or not partition.is_whole
    assert n_changed > 25
    assert n_noticed >= NOTICED * n_changed


@pytest.mark.slow
def test_no_index_leaves_its_array_in_a_long_run(tmp_path):
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}  # compiled anew, with checks
    command = [sys.executable, "-m", "tests.runtime.hevc.fuzz", "--runs", str(LONG_RUNS)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **checked}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[-2000:]) == (0, "")
    findings = json.loads(done.stdout)
    assert findings["runs"] == LONG_RUNS
    assert findings["peak_memory_mb"] < MOST_MEMORY_MB
    assert findings["slowest_s"] < MOST_SECONDS_A_STREAM
