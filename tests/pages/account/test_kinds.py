"""The picture beside a device."""

import pytest

from deviceflow.core.device_description import DeviceDescription
from deviceflow.pages.account.kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("product", "system", "kind"),
    [
        ("", "PlayStation 5", Kind.CONSOLE),
        ("", "Meta Quest", Kind.CONSOLE),
        ("", "Samsung TV (Tizen)", Kind.TV),
        ("", "Android TV", Kind.TV),
        ("", "Roku", Kind.TV),
        ("NebulaTV 4.2", "", Kind.TV),
        ("Safari", "iPhone", Kind.PHONE),
        ("", "Windows Phone", Kind.PHONE),
        ("", "Apple Watch", Kind.WATCH),
        ("Firefox", "Linux", Kind.COMPUTER),
        ("curl 8.5", "", Kind.OTHER),
        ("", "", Kind.OTHER),
    ],
)
def test_a_kind_is_read_off_the_description(product: str, system: str, kind: Kind) -> None:
    assert kind_of(DeviceDescription(product, system).stored) is kind
