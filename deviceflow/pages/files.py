"""A look at the files of the pages, before a worker that uses them is started."""

import jinja2

from deviceflow.pages.render import templates_dir
from deviceflow.pages.texts import read_catalogue


def page_faults() -> list[str]:
    """Read the templates and the catalogue of texts; return a line for each that is no good."""
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
    try:
        read_catalogue()
    except Exception as error:  # noqa: BLE001, whatever the reader of catalogues raises
        faults.append(f"the catalogue of texts: {error}")
    return faults
