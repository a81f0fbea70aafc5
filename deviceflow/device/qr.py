"""An address as a QR code for a terminal: half blocks, narrow enough or not at all."""

import segno

from deviceflow.device.lettering import half_blocks

# ISO 18004 asks for four light modules around the symbol; cameras make do with two.
_QUIET_ZONE, _NARROW_ZONE = 4, 2
# From the colour cube, which no theme changes: black on white on every terminal.
_BLACK_ON_WHITE, _RESET = "\x1b[38;5;16;48;5;231m", "\x1b[0m"


def drawing(text: str, columns: int, *, colour: bool) -> list[str]:
    """Draw the text's QR code in lines of at most `columns`; none if it does not fit.

    With `colour` it is black on white whatever the terminal's colours are. Without, the light
    modules are drawn as ink, which is right on a dark terminal; most phones read the inverse too.
    """
    try:
        code = segno.make_qr(text, error="l")
    except ValueError:  # segno.DataOverflowError: 2,953 bytes and more
        return []
    width = code.symbol_size(border=0)[0]
    fitting = [zone for zone in (_QUIET_ZONE, _NARROW_ZONE) if width + 2 * zone <= columns]
    if not fitting:
        return []
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=fitting[0])]
    if colour:
        return [f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in half_blocks(rows)]
    return half_blocks([[not dark for dark in row] for row in rows])
