"""How fast a dataset is where it lies: what ``aiolake bench`` measures and shows."""

from aiolake.bench.measuring import measure, measure_generated
from aiolake.bench.values import BenchReport, Measurement

__all__ = ["BenchReport", "Measurement", "measure", "measure_generated"]
