from aiolake.bench.values import BenchReport, Measurement, latency

MADE = Measurement(
    name="one at a time",
    n_samples=1_000,
    n_calls=1_000,
    nbytes=20_000_000,
    seconds=0.5,
    cpu_seconds=0.25,
    requests=500,
    latency=latency([0.001] * 98 + [0.002, 0.5]),
)


def test_percentiles_are_times_that_were_measured() -> None:
    found = latency([0.003, 0.001, 0.002])

    assert (found.p50_ms, found.p99_ms, found.max_ms) == (2.0, 3.0, 3.0)
    assert (MADE.latency.p50_ms, MADE.latency.p99_ms, MADE.latency.max_ms) == (1.0, 2.0, 500.0)
    assert latency([]).max_ms == 0


def test_rates_are_of_the_wall_time() -> None:
    assert MADE.samples_per_s == 2_000
    assert MADE.bytes_per_s == 40_000_000


def test_a_table_has_a_line_for_each_measurement_and_aligned_columns() -> None:
    report = BenchReport(url="mem://x", n_rows=1, columns=("a",), measurements=(MADE, MADE))

    head, first, second = report.table().splitlines()

    assert first == second
    assert len(head.rstrip()) <= len(first)
    assert first.split() == [
        *("one", "at", "a", "time", "2,000", "40.0", "0.250", "0.50"),
        *("1.00", "2.00", "500.00", "1,000", "calls"),
    ]
    assert head.index("samples/s") + len("samples/s") == first.index("2,000") + len("2,000")
