"""config/deviceflow.service: systemd's own verifier, and its judgement of the hardening."""

import re
import sys
from pathlib import Path

from tests.stage.checkout import ROOT
from tests.stage.tools import output_of

UNIT = ROOT / "config" / "deviceflow.service"
PROGRAM = "/opt/deviceflow/bin/deviceflow"
EXPOSURE = 1.4
"""docs/operations/install.md names it. 0 is nothing at all, 10 is everything."""


def test_the_verifier_has_no_complaint(tmp_path: Path) -> None:
    """It wants the program to be there."""
    text = UNIT.read_text(encoding="utf-8")
    assert f"ExecStart={PROGRAM} serve\n" in text
    unit = tmp_path / UNIT.name
    here = str(Path(sys.executable).with_name("deviceflow"))
    unit.write_text(text.replace(PROGRAM, here), encoding="utf-8")
    printed = output_of("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit))
    assert printed == ""


def test_the_exposure() -> None:
    printed = output_of("systemd-analyze", "security", "--offline=true", str(UNIT))
    (exposure,) = re.findall(r"Overall exposure level for deviceflow.service: (\d+\.\d)", printed)
    assert float(exposure) <= EXPOSURE
