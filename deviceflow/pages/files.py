"""A look at the files of the pages, before a worker that uses them is started."""

from pathlib import Path

from deviceflow.config import Pages, Settings
from deviceflow.pages.look import LookError, read_look
from deviceflow.pages.template_faults import template_faults
from deviceflow.pages.templates import templates_dir
from deviceflow.pages.texts import TextsError, read_language
from deviceflow.places import PlacesError, open_places


def page_faults(settings: Settings) -> list[str]:
    """Read what the pages are made from; return a line for each file that is no good.

    The lines of files that a setting names begin with the name of the setting.
    """
    return [
        *template_faults(settings.pages.templates_dir, templates_dir()),
        *_text_faults(settings.pages),
        *_look_faults(settings),
        *_place_faults(settings),
    ]


def _look_faults(settings: Settings) -> list[str]:
    try:
        read_look(settings)
    except LookError as error:
        return error.faults
    return []


def _place_faults(settings: Settings) -> list[str]:
    try:
        open_places(settings.pages.geoip_file).close()
    except PlacesError as error:
        return [f"pages.geoip_file: {error}"]
    return []


def _text_faults(pages: Pages) -> list[str]:
    """Read the catalogues of texts; return a line for each that is no good."""
    folder, faults = Path(pages.texts_dir) if pages.texts_dir else None, []
    for tag in pages.languages:
        try:
            read_language(tag, folder)
        except TextsError as error:
            faults.append(str(error))
    return faults
