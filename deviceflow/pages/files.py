"""A look at the files of the pages, before a worker that uses them is started."""

import jinja2

from deviceflow.config import Settings
from deviceflow.pages.render import templates_dir
from deviceflow.pages.texts import read_catalogue
from deviceflow.places import PlacesError, open_places


def page_faults(settings: Settings) -> list[str]:
    """Read what the pages are made from; return a line for each file that is no good.

    The lines of files that a setting names begin with the name of the setting.
    """
    return [*_template_faults(), *_text_faults(), *_place_faults(settings)]


def _place_faults(settings: Settings) -> list[str]:
    try:
        open_places(settings.pages.geoip_file).close()
    except PlacesError as error:
        return [f"pages.geoip_file: {error}"]
    return []


def _template_faults() -> list[str]:
    folder = templates_dir()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, extensions=["jinja2.ext.i18n"]
    )
    faults = []
    for name in environment.list_templates(extensions=["html"]):
        try:
            environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            faults.append(f"{folder / name}: line {error.lineno}: {error.message}")
        except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
            faults.append(f"{folder / name}: {error}")
    return faults


def _text_faults() -> list[str]:
    try:
        read_catalogue()
    except Exception as error:  # noqa: BLE001, whatever the reader of catalogues raises
        return [f"the catalogue of texts: {error}"]
    return []
