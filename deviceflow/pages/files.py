"""A look at the files of the pages, before a worker that uses them is started."""

from pathlib import Path

import jinja2

from deviceflow.config import Pages
from deviceflow.pages.render import templates_dir
from deviceflow.pages.texts import TextsError, catalogue_paths, read_catalogue


def page_faults(pages: Pages) -> list[str]:
    """Read the templates and the catalogues of texts; return a line for each that is no good."""
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
    return [*faults, *text_faults(pages)]


def text_faults(pages: Pages) -> list[str]:
    """Read the catalogues of texts; return a line for each that is no good."""
    folder, faults = Path(pages.texts_dir) if pages.texts_dir else None, []
    for tag in pages.languages:
        try:
            for path in catalogue_paths(tag, folder):
                read_catalogue(path, tag)
        except TextsError as error:
            faults.append(str(error))
    return faults
