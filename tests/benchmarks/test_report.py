from dataclasses import replace

from benchmarks.report import Run, cells, markdown

RUN = Run("pictures", 0, "single", "aiolake", 100, 1900, 1.0, 0.5, 0.1, 100, 1900, 100, 2**20)


def test_a_ratio_is_of_the_same_round() -> None:
    runs = [
        RUN,
        replace(RUN, round=1, seconds=2.0),
        replace(RUN, peer="lance", seconds=4.0),
        replace(RUN, round=1, peer="lance", seconds=2.0),
        replace(RUN, round=2, peer="lance", seconds=99.0),  # aiolake took no part
    ]

    ours, theirs = (c for c in cells(runs, "aiolake") if c.measure.workload == "single")

    assert ours.ratio is None
    assert theirs.ratio == 2.5  # 4 in one round, 1 in the other
    assert (theirs.low, theirs.high) == (100 / 99, 50)


def test_times_are_better_when_lower() -> None:
    first = replace(RUN, workload="first", n_samples=1)
    slow = replace(first, peer="lance", seconds=3.0, import_seconds=1.1)

    found = [cell for cell in cells([first, slow], "aiolake") if cell.peer == "lance"]

    assert [round(cell.ratio or 0, 2) for cell in found] == [3.73, 3.0]


def test_tables_say_what_failed_and_what_a_peer_cannot_do() -> None:
    failed = Run("pictures", 0, "scan", "lance", failure="Traceback\nOSError: no such thing")
    tar = replace(RUN, peer="webdataset", workload="scan")

    page = markdown([RUN, failed, tar], "aiolake")

    assert "* Lance, scan of pictures, failed: `OSError: no such thing`" in page
    assert "* WebDataset, first, reopen, single" in page
    assert "a tar file has no random access" in page


def test_reads_of_a_mapped_file_are_not_shown_as_a_number() -> None:
    mapped = replace(RUN, peer="litdata", read_bytes=10, read_calls=0, requests=None)

    page = markdown([RUN, mapped], "aiolake")

    assert "| LitData | 0.00; mapped |" in page
    assert "| aiolake | 1.00 (1.00); ×1.00 |" in page
