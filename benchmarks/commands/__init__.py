"""The commands of `python -m benchmarks`, by what they are about."""
