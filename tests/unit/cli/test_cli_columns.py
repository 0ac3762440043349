from tailrace.cli.columns import columns


def test_columns_are_as_wide_as_their_widest_cell_and_cut_nothing() -> None:
    long = "a-name-of-a-topic-that-is-longer-than-any-terminal-" * 4

    text = columns(("topic", "lag"), [("a", "5"), (long, "12345")], right=[1])

    assert text.splitlines() == [
        f"{'topic':<{len(long)}}     lag",
        f"{'a':<{len(long)}}       5",
        f"{long}   12345",
    ]


def test_no_rows_leave_the_header() -> None:
    assert columns(("a", "b"), []) == "a   b"
