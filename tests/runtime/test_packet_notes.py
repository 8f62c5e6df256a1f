import time

from runtime.packet_notes import PacketNotes
from runtime.picture_coding import MOST_WAITING


def test_a_picture_finds_the_note_of_its_packet():
    notes, before = PacketNotes(), time.monotonic()
    notes.see(7, n_damaged=0)
    between = time.monotonic()
    notes.see(3, n_damaged=2)
    assert notes.take(3, n_damaged=5).n_damaged == 2
    note = notes.take(7, n_damaged=5)
    assert note.n_damaged == 0
    assert before <= note.arrived_s <= between


def test_a_picture_without_a_stamp_came_just_now():
    notes = PacketNotes()
    notes.see(None, n_damaged=0)
    before = time.monotonic()
    for stamp in (None, 4):
        note = notes.take(stamp, n_damaged=5)
        assert note.arrived_s >= before
        assert note.n_damaged == 5


def test_packets_that_never_give_a_picture_are_forgotten():
    notes = PacketNotes()
    for stamp in range(MOST_WAITING + 1):
        notes.see(stamp, n_damaged=1)
    assert notes.take(0, n_damaged=9).n_damaged == 9
    assert notes.take(1, n_damaged=9).n_damaged == 1
