from runtime.source_notes import leading_note, reconnects_note, restarts_note


def test_nothing_happened_nothing_is_said():
    assert [leading_note(0, True), leading_note(0, False), restarts_note(0), reconnects_note(0)] == [None] * 4


def test_one_is_spoken_of_as_one():
    assert leading_note(1, is_live=False) == (
        "1 leading picture refers to frames before the start and can't be decoded: left out"
    )
    assert leading_note(2, is_live=False) == (
        "2 leading pictures refer to frames before the start and can't be decoded: left out"
    )
    assert leading_note(1, is_live=True) == "1 packet came before a whole picture did: passed over"
