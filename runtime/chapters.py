"""Chapters of the part of a video that is kept."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only PyAV's stubs know the name
    from av.container.core import Chapter


def chapters_until(chapters: "list[Chapter]", end_s: float | None) -> "list[Chapter]":
    """Drop the chapters that start after `end_s`, and end the last one there; None keeps all.

    MP4 writes chapters as a track: one that went on would make the whole file as long as the original.
    """
    if end_s is None:
        return chapters
    return [_ended(chapter, end_s) for chapter in chapters if _ticks(chapter, end_s) > chapter["start"]]


def _ended(chapter: "Chapter", end_s: float) -> "Chapter":
    return {**chapter, "end": min(chapter["end"], _ticks(chapter, end_s))}


def _ticks(chapter: "Chapter", time_s: float) -> int:
    assert chapter["time_base"] is not None
    return round(time_s / chapter["time_base"])
