"""All readers that are fuzzed, by name."""

from tests.fuzz.readers import browser, files, tokens, wire
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target for module in (wire, tokens, browser, files) for target in module.TARGETS
}
