"""Where an address is, in the language of the page."""

import asyncio

from deviceflow.pages import words
from deviceflow.pages.texts import language
from deviceflow.places import Place, Places


async def find_place(places: Places, address: str) -> Place | None:
    """Return where `address` is, by names in the language of the page; None if not known."""
    if not (places.are_known and address):
        return None
    return await asyncio.to_thread(places.find, address, language().tag)


async def about_where(places: Places, address: str) -> str:
    """Say about where `address` is; an empty text if that is not known."""
    place = await find_place(places, address)
    return words.near(place.city, place.country) if place else ""
